// Written by `python -m snugroom.client.tools.typescript`, from crypto/agreed/names.py: change it there.
/** Characters that look like others (UTS 39), each by its distance from the last one, in base 36. */
export const CHARACTERS = `
y 3 b 1 o n d f 12 3 x a 7 1 e a 8 o 1 l 1 a g 1 g 1 j 1 p 1 1 1 1 3 2 1 2 1 4 1 1 3 1 1 1 1 3 1 1 5 1 1 1 5 1
1 5 1 1 1 1 4 1 1 2 1 1 2 x 1 1j 6 1 1 1 n 2 3 3 2 1 1 1 4 1 1 2 2 3 1 2 1 1 5 1 2 3 2 1 1 1 2 1 1 2 1 1 2 1 6
1 5 9 4 1 2 2 c 3 1 1 1 1 1 1 1 1 e 1 1 1 1 1 1 3 1 1 2 2 2 1 5 3 4 n 6 2 2 3 a 7 4 1 4 2 9 1 1 5 f 2 1 9 3 2
g 1 e 8 2 5 1 1 4 4 i 1 3 1 1 1 1 1 1 1 1 2 2 2 1 1 2 a 1 1 1 1 2 1 1 1 3 2 2 2 1 1 1 l 1 c 1 a 4 1 2 3 7 1 1
2 8 1 1 1 2 2 3 1 1 1 1 1 1 1 1 1 1 1 6 1 2 2 1 1 1 2 2 1 2 2 1 1 1 1 1 1 1 1 1 5 1 1 8 1 1 2 3 6 1 1 d 1 1 1
1 1 7 1 d 1 1 1 3 1 1 1 3 1 1 1 1 1 3 1 3 1 7 1 1 1 1 1 1 1 1 9 2 1 1 1 5 1 1 1 1 1 1 1 1 1 1 5 1 3 1 7 1 7 1
o 9 2 1 3 1 a 1 1 1c 2 4 2 5 3 4 2 3 8 2 5 3 2 2 1 4 3 1 4 j 1 7 4 5 1 1 5 5 1 6 1 1 1 1 1 g 3 1 6 2 f 1 1 1 1
l 1 3 2 9 1 1 d 4 9 9 2 8 3 1 3 1 3 1 3 1 1 1 1 1 1 1 2 1 1 4 2 1 2 1 1 1 1 1 1 2 1 6 5 3 4 3 3 3 3 1 6 6 1 5
3 1 1 1 3 7 1 2 3 1 2 1 3 2 3 1 1 1 2 1 2 2 1 1 2 1 a 9 4 2 1 1 1 1 1 1 1 1 1 1 1 4 1 1 2 1 1 1 1o 1 1 5 a 5 c
1 4 1 1 3 5 1 c 1u a x 2 1 5 1 1 5 4n 3 3 1 1 5 1 1 1 1 4 1 2 1 1 1 1 14 3 2 1 2 1 2 1 1 1 5 1 1 5 1 1 1 1 1 2
2 5 1 2 1 1 1 1 14 m 1 1 h 1 1 m 4 5 1i 10 1 5 4 3 l 1 3 1 1 1 1 5 1 4 14 f 2 p 1 3 n 1 1 3 7 2 1 1 2 1 14 1 4
1 b p 2 1 1 4 2 h 2 3 q s 16 2 q 8 i k e a 5 a f 1 1 2 1 1 1 1 2 2 2 1 2 1 2 6 2 1 g 1 c 2 3 8 1 9 2 9 2 s 1 5
r 1 1 2 1 1 b 1 1 8 2 5 c 2 1 1b 5 1 1 7 i 1 1 5 1 1 2 4 3 1 5 3 4 3 e 3 2 4 5 1 2 1 5 6 c 5 2 5 4 1 1 1 1 1 7
3 2 1 6 1 2u 1 1 4 k 8 4 5 1 2 a 5 r 4 8 3 1k 5 d 1 2 1 1 p 1 f 1 1 1 2 3 1c 2 1 b d 3 1 o 1f 2s 1e g d 2 a 1
c 2 8 b q 1 9 1 e 3 t 21 c c 2 3 4 2 3 6 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1
1 1 1 1 1 2 2 2 1 1 1 1 1 1 1 1 1 1 2 2 2 1 1 3 1 1 2 1 1 1 1 4 2 2 2 2 1 1 3 1 1 2 1 1 1 1 1 1 1 1 1 1 1 1 1
1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 2 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1
1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1
1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 6 t t w 1 1f q y 2b 3h 1 1 2 1 3 1 1 1 1 2 2 1 2 4 4 2 1 1 1 2 1 4 4 1 2 1 3
2 1 4 1 4 1 3 4 1 4 3 2 2 1 1 7 1 4 3 9 1 1 1 1 1 1 1 1 1 2 1 1 1 d 4 1 1 1 1 2 2 4 1 2 1 1 1 1 1 1 1 1 1 1 1
1 1 3 2 2 6 3 1 1 1 1 1 1 1 1 1 1 1 1 1 3 1 1 1 3 2 3 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 4 1 1 1 5 5 1 1 1 1 1 1 1
1 1 1 1 1 1 6 5 2 1 1 1 1 1 1 1 1 1 1 1 1 1 6 a 1 1 1 1 1 3 b 1 1 1 1 1 1 1 1 1 1 1 1 1 d 1 1 1 1 1 1 1 1 1 1
1 1 1 9 1 1 1 8 1 1 1 1 1 1 1 1 1 1 1 1 1 b 1 1 1 1 1 1 1 1 1 1 1 1 1 4 1 d 1 c 1 c 1 e 5 1 1 1 1 1 1 1 1 1 2
7 1 1 1 1 1 1 r 5 1 2 d 1 p c 5 1 7 b 1 1 3 r 1 1 a 1 5 1 1k 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 3 1e 5 a 1 a 9 1
2 9 a 1 1 3 1x 32 k 1 1 1 c 5 8 1 1 4 1 15 6 24 1t t 3 3 9 4 1 1 1 1 1 1 1 1 1 1 1 1 1 8 1 1 3 3 1 1 3 2 3 3 2
1 1 64 1 4v g p 2 9 3 4b 1 5 4 3 65 1v 29 2 1 2 3 1 1 2 1 1 f n 4 3 2 2 1 1 3 5 3 4 1 1 2 2 1 1 1 2 1s 3 1 1 2
1 1 1 1 5 1 1 1 1 4 9 4 7h 2q 7l 2 1 1 1 1 2 1 1 1 1 1 2 3 5 9 1 1 3 4 1 7 2 1 a 4 1 7 3 1 1v 3 1 4 2 1 1 1 8
7 u 19 v 2 5 k 1t 1 d 4 w 9 1 1t 3 3 9 2 1 2 1 1 1 1 1 5 5 2 3 1 1 1 b 2 4 k 1 6 2 1 4 5 7 1 n 1 i 1 3 4 7 1 r
1 1 1 1 1 3 e 1 1 1 l 1 5 b 1 11 s o 1 2 3 2 1 1 1 1 3 1 2 1 7 1 1 1 1 1 1 1 5 t 3 3 3 5 4 j 1 1 3 y k 1 1 24
52 1 2 c k 26 2 l 8 4 3 6 3 h 2 4 1 2 3 4 6 3 1 3 i 6 z 7 l j m k 7 1 1u 58 1 5 1 3 1 1 1 b 1 1 1 1 1 1 1 1 1
c 1 1 17 6 1 2 2 c f 1 8y 1 1j 2 9 1 16 n e 6 1 2 i r 1 1 2 1 7 1 1 1 1 1 1 n 3 1 1 1 1 1 1 1 2 1 5 1 d 1 1 17
4 1j 5 1 18 10 2 6n 1 1 1 3c 2 r 1 1 2 1 5 4 2 1 1 2 2 4 1 1 2 1 1 1 1 2 2 1 1 1 1 3 3 2 4 2 1 9 4 2 1 3 1 1 a
8 5 g 1k 6 1 1 1 7 7 1 6 2 3 1 4 4 3 3 3p 2 2 1 2 7 1 z 4 1 7 1 1 1 1 1 1 2 2 1 1 3 4 4 2 1 1u 1 2 9 2 3 h 7 7
c 1 1 c 1 2 2 5 7 7 7y 1 4 1 1 9 2 1 5 1 h 1 6 s 23 6 4 4 3 k 9 3 3 1 9 l e 5x 1 2 1 2 4 1 4 1 ny qk 55 1yg 3p
1y8 18 a 9 1t w q 94 1m 77 12 t k l 1h w 2 6v s 5 u c 1 8 3 p p 1g i bb ag b8 3k k 3 8 t d5 28 1c 3c n k l 1l
a2 m 2 b 1g u y d 39 n 8 1p 1 g i 28 1 g4 1c j 1 cd 86 5 1 2a 2 e d l 13 1 4 3i 6 3r 6 i u 2 5z dm 1q 6x 1u d
b 1l o 2 7 7 1g 2 3 w 1 5 m7 7m 1 ce c 5 4 8 i 2 29 1 5z 5 9f a 1e 7 9 8 2j 7 6c 7 1d h 1b 6l 7 h 2k 6j 1 3h 6
52 2w t ai 3p 1 3h cg r 2 1j 3c a 6 x 24 1 9 t 10 6 12 b 12 q 2u 1o 7 9 9 g f 4 27 4 6 jr 76 c 1 t d1 10 7u 1
1 1t h 1a u 2n 7m h 47 f t l 11 3k 1z c m 19 1z 4h g 3g 1r 1h q 64 25 2z 3h dk 5z 6r 7 1 2w 1g 4a 2 1 1b 2x 1
c 4 7 2q r 7 6 e 38 1f 12 d 3 2 3n 1f 3 j 5c 1o 1c 7 1y a 3 14 82 2x 9q 1e 1c 1 t 1 9 5 17 h 5 d 16 6 2 19 q 6
1 z y9 8 2 9 1 4 4 a 4 1 1 2 e 1 1 1 1 2 1 2 1 1 1 1 1 1 1 1 1 1 2 1 1 1 2 1 1 1 1 1 1 1 1 1 1 1 2 1 1 1 1 2 1
1 7j 1i 1 2 6 3 1 n 7 d 2 n 3 1 1 7 f 1 s 1 d 4 c 4 1 1 3 w 2 i 1 8 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 a 1 3 1 b 7
9 1 3 9 1 2 c 3 3 3 6 3 1 4 1 1 c 6 1 1 1 1 1 1 1s 1l 8g 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1
1 m h 18 1 3n 3 64 3 8 1 1 2 1 5 1 5 1 3 1 1 2 5 6 2 1 d 1 1 2 1 5 1 1 2 2 1 2 4 4 3 2 3 8 1 3 3 7 1 4 1 3 4 5
8ol 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 5 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1
1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 7cz 1 qq 3x 8 1 1 1 7 6a 3 1 1 3 3 3 2 2 1 1 1 4 5 1 1 1 2 6 2 3 1 1 1 1 1
1 2 8 f i 3 4 a 3 c 1 7 8 1 3 2 3 5 1 2 4v 2 1a 3 d 1 3 6 4 1 3 2 4 1 2 e 3 2 3 1 5 3 2 2b g 4 8 6 1 1 9 1 2 1
1 6 3 f 1 b 3 q 3 2 4 1 8 1 1 103 m 7 ir 2 qn 7g 3 1 g 1 2 82 7n 6 b 6 3 2 t 1y 2 2 2 1 2 2 1 1 1 1 1 1 4 1 1
1 1 2 1 2 1 8 4 2 2 1 1 1 1 b 1 1 4 76 1 1 1 1 1 2t 5a 6 4 4 1 b5 2 1 1 2 2 1 3 2 1 3 3 2 1 3 1 4 1 1 1 1 2 2
2 2 2 7 1 1 1 4 4 3 1 1 1 3 3 3 3 dw 1 1 1 1 2 1 1 6 1 1 1 1 96 34 p2 3pd buv 7 1 2 c 4 2 a 2 5 8 5 1 2 2 1 2
1 e 1 jb6 2h 45 4 5 2 2 3 1 1 1 1 1 3 1 1 5 1 8 1 5 6 1 1 1 1 1 4 6 4g2 1 1 2 1 1 1mo 1 1 2n bo 6 1 rr 1 1 2 3
1 2 a k i i 8 1 7 2 a 3 1 5 7zr 1ng 6 2a3 2zd 317 22v 6pv
`;

/** And what each looks like: code points in base 36. */
export const PROTOTYPES = `
13_13 56_1b_6f4 27 30 30 13 36_32 30 2r_mw 2h_mt 1t_1x 1w_mt 3c 27_mw 2p_2t 6pu_mt 33_mw 1w_mt 2s_mt 20_mt
2w_mt 2x 24_mw 30_mw 27_1x 33_2t 2c_mt 38_mt 2q_mt 13_1u 2q_lg 2q_lg 2q 1v_13 1w_mt 13_1w 2s_lg 2v 1y_me 2u_me
1z_13 30 30_mt 23_13 2z_lw 30_mt 26_me 32_mh 27_mt 13_28 34_lw 2a 1e 13_2c 38_lw 2c_mg 13_2h 3d_lw 2i_mt 3e_mt
1f 1e_mt 1h 37 72 30 30_30 x 1z_mt 2v_mt 1f 1k 1k 2i_me 3e_me 2r_mw 2c_mw 1r 2d_mt 1x_mw 2t_mw 22_mt 2y_mt
36_mt 2h_mt 3d_mt 2p 2q_lw 2s_mg 2s_lw d9 d9_ke x3n 2v_lw 2v 3d 2w_lw 2x_mt 2x 2x 30_ms 30_mg 30_f1 3b
36_32_me 92 32_mg 33_mt 33_5qf 36_mh 36_mg 37_mg 39 3d 3e_mg f1 1r 35_lw 2s_3e 2s_f1 2s_i9 38_37 38_hv 38_gl
2u_97 30_37 30_3e 13 13_13 13 13 13 13 121 1o 1q 2m 2m 13 13 13 1m 121 19 13_13 13 13_13 1m kq lg li li_lj le
lv 18w mp me mg me mt mv me lf mg mr nk lj lm li 8s5 jz t4 5qm gk 22 1t 1u 1x 2i 20 27_mt 30 23 g5 25 26 27 28
bt 2c 2h 2g 2p 67 3d 61r x3n 32_mh 27_mt 2x 8o 3a 33 34 33 5qz 39 hk qq 1y 1e bs 2y 66 72 25 au x3m 2b 30 22
1t 2q_lg 1u pf 1x 1f 23 g5 25 20 27 ps 28 1v 2c 2h py 2g 2q_30 2q 30_27 2p 1i ih 36 2t gs 5qm 8o i5 ik 33 qo
34 2r 5qz 3d hk 3c jt_2q at_2x at x3n 37 2x 2y 2w_mt 3b 2q_mt 2q_mt q0 qw 27_mt 33_mt 2e 3a v4_w6_w7 3b_w6_w7
st_me u1_me 2q_mt 2q_mt pf_13 36_13 pf_mt 36_mt t2_mh ty_mh 1f_me gs_me 23_mh 8o_mh 23_mt 8o_mt 20_mh ik_mh
1v_me 2r_me 2c_mh 5qz_mh 2h 3d 2h_mt 3d_mt 2g_mh 2w 2t xo_mg 2t_mg 30 g5_me u3_me 20_me ik_me 20_me ik_me xi
xj 25_me i5_me 2x 1t_1x 2p_2t b3 d9 1f f1 27_mt 33_mt 2s dy 1z gy b4 x3n 35 2f 3b 2d 2b py 27 13 13 3b 35 35
61r 2w fr 32 hc 32 39 2v 2u 33 1m ld ld 13u 13t 13q 13s lm mb lj lj 30 lj lj 1m lj mb 30 3a 13 30 33 30_30
30_13 13_13 13 13_13 56_1b_6f4_6f4 56_1b_6f4_6f4_6f4 18 189 ld lv 18w 30 18p_1cr 183_1cr 18p_le 18p_1cr 33 18p
ln ld lv lm lf mh lu li lg li le mb lw 191 1a 30 33 2e g5 56_1b_6f4 18 170 16 18p 1b5 lp 30_19w 30_191 18p_179
18p_1cr 17x_190 17x_1cr 17z_179 1ai_179 17z_1cr 181_179 181_li 181_1cr 185_1cr 187_1cr 1b5_1cr 18h 1b5_1cr 18j
18j 18j_1cr 1bj_1cr 18k_li 18k_1cr 18p 18p_179 18p_1cr 33 33 17t 18o_li 18o_lv 18o_19s 18o_le 18o_1cr 18p
18p_li 1a3 18p_1cr 18p 19 33 lm li_lj lj 17z_le 181_le 1a 30 19e 19f 19g 33 19i 2e g5 19l 17l_nc 18l_nc 33_le
1a 1a 1m 1m lj lj 1fg ld 17s_1cr 18p_li 1bg 18j_1cr 1g4 18m_179 18m_li 181_190 1av_179 17x_190 183_le 27 30 lg
lj le lk 13 13 2n 17s_190 1b6_1cr 18l_1cr 18p_190 1g4 17z_mc_mb 185_mc_mb 1bj 18o 182_le 17s_1cy 18p_1cr_1cy
181_li_lj 18p_li_lj 1b5 1b5 18p 18s 18s lj lk mb mc ln 18s 18t lv nk no np nk nm li_lj lj 1m 1s5_1ty 1s5_1tq
1tc_1u5_1s7 1sf_1tx 1sf_1ty 1sf_1tz 1s5_1u1 1s5_1tq_1ty 1s5_1tq_1tz 1s5_1tq_1u0 mb mp lc ld 1us_1us 33 19l 1r
li_lj 1vp_1xa mb 1vv_1xf 1vv_1xf 27 1k 1l lj 1vn 1z9_20u 22a_20v 22a_20w 22b_20x 22b_20y 22a_213 1z9_214
1z9_218 mb 1ty 1u5 33 1l 1k li_lj lj 1m 22t_24e 22t_24l 22t_24n 22t_24o 22t_24e_24l 22t_24e_24n 22t_24e_24o mb
1tp 1tt 1tu 1u5 33 1uw 1ux 1uy 1v2 1v4 li_lj 1k 26d_27y 27 mb 27 1l lm 2a1_2b7 2a8 2a0 2a0 2ax lj 2b7 33 2ad
2a1 2ai 2a0_2bl 2ai_2bl 2a6 29x 2b3 2ai_2bm 2b2_2bk 2cz 2a6_2b9 2bb 2aw_2bk li_lj 33 1vn 2du_2fp 2du_2fg
2eo_14s 2e9_mb 2ef_14s 2ek_mb 2et_2f5 2et_mb 2et_2f2 2f5_2f2 2f7_2f2 2dn_2f2 2do_2f2 33 li_lj 33 1vn 2dh 2di
2dj 2du 2du_2fp 2du_2fg 2e4 2e6 2eb 2en 2ep 2eq 2h8_2im 33 2g7 2g8 2gf li_lj 33 1vn 2kn_2mv 2a1 2a1_2mv
2lk_2m9 2ku_2me 2ky_2m6 2ky_2mv 2lk_2m9 2a8 33 2ar 2ls 2b8 2ba 2an_2bj 2bj 2bj 2m9 2m9 2me_2me 1v5 2lk_2ml_2lq
33_2ls_33 2la 33 2ls_2ml 2li_2ml_2ls 2lk_2ml_2lk 1l 2lx_2ml_2ls 2lk_2ml 2m1_2ml_2lq 2lk_2m9 2lk_2ml 2ls_2ml 33
1vn 2qw_2q7 2oy 2pb 2qw_2qb 2rm 2ru 2ry 2ro 2ro 2s1 2rq 2sg 2tc_2tc 2sy lm 33 2rs 2si 2sa 2sb 2sd 2se 2sf 2t4
2t5 2tk 2tl 2tm 2tn lm 33 31k_324_326 31c_31w_32a_327 31c_31w_32a_2z8 2z1_2z1 2ze_2ze 2zh_2zh 2ze_2zh md 31e
2zh_2ze 35u_370 33_370 33 36d_370 36m_37g 36m_37g_375_370_37e lm 1vn 33 37u_37u 37l 36d_37i 36d_370_37i
35v_37i 399_37i 35u_37i 39f_lm 3d f1 33 3cw_3cw 3cz_3cz 3d3_3d3 3d5_3d5 3d8_3d8 3cy_3cw 3cy_3cy 3cy_3cz
3cy_3d3 3cz_3cw 3d1_3cy 3d1_3d1 3d1_3de 3d1_3d7 3d2_3d3 3d2_3d7 3d3_3cw 3d3_3cy 3d3_3cz 3d3_3d5 3d3_3d5_3cw
3d3_3d5_3cz 3d3_3d5_3d3 3d3_3d5_3d5 3d3_3d5_3d8 3d3_3d8 3d3_3da 3d3_3dc 3d3_3dd 3d3_3d7 3d3_3d3_3d7 3d5_3cw
3d5_3cy 3d5_3cz 3d5_3d1 3d5_3d2 3d5_3d3 3d5_3d3_3cw 3d5_3d5_3d5 3d5_3d7 3d5_3d8 3d5_3da 3d5_3db 3d5_3dc
3d5_3dd 3d1_3de 3ek_3ek 3em_3em 3d7_3cw 3d7_3cz 3d7_3d2 3d7_3d3 3d7_3d5 3d7_3eo 3d7_3d7 3d7_3d8 3d7_3da
3d7_3dc 3d7_3dd 3d8_3d7 3f2_3f2 3f4_3f4 3da_3db 3da_3de 3dd_3d3 3dd_3d7 3de_3de 3cw_3cz 3cy_3d5 3cy_3d8
3cy_3de 3cz_3d1 3fl_ffs 3fn_ffs 3fp_ffs 3fr_ffs 3ft_3fl 3ft_3fl_ffs 3ft_ffs 3fy_3fp 3fy_3fp_ffs 3fy_ffs 9oc
9oc_ffs ffs 3fl_3ft 3fl_3fy 3fn_3ft 3fn_3fx 3fp_3ft 3fp_3fy 3fp_9oc 3fr_3ft 3fr_3fy 3ft_3fp 3ft_3fp_ffs
3ft_3fr_ffs 3ft_3ft 3ft_3fy 3fx_3fn 3fx_3fn_ffs 3fx_3fn 3fx_3ft 3fx_ffs 3fy_3fl 3fy_3fl_ffs 3fy_3fp_9oc
3fy_3fr_ffs 3fy_3fy 3g2_3fl 3g2_3fp 3g2_3fp_ffs 3g2_3fr 3g2_3fr_ffs 3g2_3fy 3g2_ffs 9oc_3fy 9oc_9oc
9oc_ffs_3fy ffs_3fl ffs_3fn ffs_3ft ffs_3fy ffs_9oc ffs_3ha 3ha_3fp 3ha_3fy 3ha_ffs 3ha_3ha 3fl_9oc 3fn_3fy
3fr_3fn 3ft_3fn 3ft_3fn_ffs 3cw 3cw_3cw 3cw_3d5 3cy 3cy_3d8 3cy_3de 3cz 3d1 3d1_3cw 3d1_3d2 3d1_3d3 3d1_3d5
3d1_3dc 3d1_3dd 3d1_3de 3d2 3d3 3d3_3d5 3d5 3d5_3d5 3d7 3d8 3da 3db 3dc 3dd 3de 3cw_3d1 3cw_3d5_3cw 3cy_3cw
3cy_3cz 3cy_3d5 3cy_3eo 3cy_3dc 3cz_3cw 3cz_3d1 3d1_3cw_3d5 3d1_3cy 3d1_3cz 3d1_3cz_3de 3d1_3d1 3d1_3d2_3cw
3d1_3d2_3d5 3d1_3d3_3d5 3d1_3d3_3de 3d1_3d3_3d7 3d1_3d5_3d5 3d1_3eo 3d1_3db 3d1_3fd 3d2_3cw 3d2_3d1 3d2_3d3
3d2_3d5 3d2_3d5_3d5 3d2_3eo 3d2_3da 3d2_3de 3d2_3d7 3d3_3d1 3d3_3dd 3d3_3de 3d3_3d7 3d5_3cw 3d5_3cz 3d5_3d1
3d5_3d3 3eo 3d7_3cw 3d7_3cw_3cw 3d7_3d7 3d7_3db 3f0 3d7_3d5 3d7_3eo 3dd_3d3 3dd_3d7 3de_3cy 3de_3d1 3de_3d2
3de_3d3 3fd 3cw_3cy 3cw_3d3 3cw_3da 3cw_3db 3cw_3de 3cy_3cy 2d 11g hc py 11k 11o 12p 117 27 11m 1w 2a 2c 27_13
2x 8s5 2h 1t 22 1x 1r 8s5 pf 2f 25 20 2h 27_mt bv 1z 2w 2i v4 b4 2d_mt 1g 2q 2a 2f 2b 2e 2b 24 1v 28 23 2s
27_mt 1i 67 2w_lw 1z 1u gy ih 1p pg 53_3y9 3y9_53 53_pg pg_53 53_3yc 3yc_53 53_3yd 3yd_53 53_3ye 3ye_53 53_3yi
3yi_53 53_3yj 3yj_53 53 3y9_3z4 pg_3z4 3yd_3z4 3yi_3z4 2e g5 1q 53_1q 1o 53_2e 2e_53 53_g5 g5_53 53_3zm 3zm_53
53_1q 1q_53 53_3zo 3zo_53 53_1o 1o_53 53_3zt 3zt_53 13 2d 11k 53_40g 53_2d 2d_53 53_11k 11k_53 53_40f 40f_53
53_40g 40g_53 53_40h 40h_53 53_40l 40l_53 53_40m 40m_53 2d_13 11k_13 40g_13 40l_13 28 2s 2q 2q_lj 53_417
417_53 53_28 34_53 53_41a 41a_53 53_2s 2s_53 53_41c 41c_53 53_2q 2q_53 53_2q_lj 2q_lj_53 417_13 28_13 2s_13
2q_13 22 53_421 421_53 53_423 423_53 53_424 424_53 53_22 22_53 53_426 426_53 53_428 428_53 53_429 429_53 pf 24
53_42r 42r_53 53_pf pf_53 53_42u 42u_53 53_42v 42v_53 53_42w 42w_53 53_24 30_53 53_42z 42z_53 1e 53_43k 43k_53
53_43r 43r_53 53_43s 43s_53 3z5 53_443 443_53 53_445 445_53 53_446 446_53 53_447 447_53 53_448 448_53 53_44a
44a_53 53_44b 44b_53 53_44t 44t_53 53_44v 44v_53 53_44w 44w_53 53_44x 44x_53 53_44y 44y_53 53_450 450_53
53_451 451_53 45n_1o 45n_40l 45n_2q 45n_428 53_45s 45s_53 53_45t 45t_53 53_45u 45u_53 53_45v 45v_53 53_45w
45w_53 53_45x 45x_53 53_45y 45y_53 53_1g 1g_53 53_46g 46g_53 53_46h 46h_53 53_46i 46i_53 53_46j 46j_53 53_46l
46l_53 53_46m 46m_53 3zd 3c 53_47g 47g_53 53_47u 47u_53 53_487 487_53 61r 20 3c 47k_418 47k_28 47k_41a 47k_2s
47k_41c 47k_2q 47k_2q_lj 47k_41v 2a 49h_422 49h_423 49h_424 49h_22 49h_426 49h_428 49h_429 2q 1y 6k2 x6j 8rz
1t 1w 1w v4 25 1u 428 421 443 44a 477 47a 47e c1 q1 c1 q1 2g 3c 47k_417 49h_421 49i_423 49i_424 49i_22 49i_426
49i_428 49i_429 49z_53 4a0_53 4a1_53 4a2_53 4a3_53 4a4_53 4a5_53 w 1o 2g 30 4hp 13 23 25 q0 4ho 53 1m 17 py 1b
4o2 2t0 2t1 2t2 2t3 lm 2tk lm 2sv 2u2 2tr 2u3 1m 1m 4s5 4t8 53_4vl 53_4vo 53_4vs 53_4w0 53_43m 43m_53 53_43n
43n_53 53_43o 43o_53 53_43p 43p_53 53_477 53_47a 53_47b 53_47c 53_47d 53_47f 4xh 4wv_3z2 3z2_4wv 477_53 47y_53
486_53 48b_53 492_53 49j_53 v4_53 4c4_53 4d7_53 kh j7 526 52p 56t 56t 59k_59k 59m_59k 1cr mg 5cd 5ch 5d4 5e8
5em_5em 5kr_5kr 5mm_5mm le lg 13_13 mj mm ml lq mh mb mc ly 2r gs 8o i5 33 gk 33 d9_33 un 39 3a 3b 3e bs 36 i4
qo 5qw u3 39_2t 2u_ms 36_32_ms 32_ms 36_ms hq_ms 37_ms 38_ms 3e_ms 2x_mt 2x_mt 34_mt 39_mt i2_mt 2v 3d gb 2u
3d 19 19 19 9oc 9oc 30_30 13 13 18 13 13_13 13_13 13_13 53 53 56_1b_6f4_6f4 56_1b_6f4_6f4_6f4 13 13 1o 1q 1b
19 1b 16 56_1b_6f4 3i 1m 8yf 8xu 1v_6i3 4j 36_32_mw 2f_mt 2s_mt_mp x3m 23_mt 2c_6i3 30_38 11w 1cr tp c1 hr 2t
wl2 au gk 4i7 4iw 6nm 4ii 4i8 8rz b2 pg ps bt 19 17_lj 1b 2k 16 4w 53 33_33 30 30_30 3a 11k 2d hv 1m 19_lj 3i
1p_lj 1p_lj_mb 1p_lm 1p_le 1p_li 1p_ob 6sh 1o_1o 1q_1q 40l 40g 1f3c 27_mt ig 27_mt 2c wk5 6qv 3a 11k 2d 4ik 53
4im 1o_53 53_1q 1o_1o_1o 1q_1q_1q 8yf 53_53_53 x3n 1x 6px 6xw 9j0 pg_mq 4ik_mq 4w_mq 6u3 2c_lk 6pz_lk 6va_lk
4w_lk 17t 3i_lk 3zp 6pz_ms 27_mt 2x 34 qx 2p_mq x3n_mq 2x_mq qx_mq 2p 4hp ffs ffs ffs ffs ffs ffs 6z9 6z2 6yz
6zx 6f5_6f4 73v 30 7jy 2k_2k 9oc 9oc 7b6 7bg 7bw 1b 2g 6q6 7f0 jt 7fa 7fc 6q6 739 pg 6ur 7g6 7g6 1f3w 6uq 4ik
4ik 4w 6ym 6xe 4w ig 7fl 1ggu 70o 6rz 4ik 2jx4_2jxh 2jx4_2jxh_2jxq 1v4 14 15 1o 1q 14 15 3f 3h 76o 76p 76q 76r
76s 76t 76u 76v 76w 76x 17 19 6v wk5 2k_40l 40g_1b 1b 2k 2c 7sc 7sd 3c 3c 4i8_4ii 6o3_6o2 4i8_6o2 6o3_4ii 8xu
6yx 6ym 9j0 6yq 6yj 87u 1m_6mq 2k 1b_lg 1b 2k ig 1f3c 6tz 6tp 6tq 6tv 6tw 4im 1q_1q 4ii 17_lm 17_le 17_lf
17_mb 17_mo 17_6f6 19_lv 19_mb 3c 3c_lj 6xl 8bj 6q8 3i_lj 1p_6i8 1q_1o 4b9 4b6 40g_40l 1b_1b_1b 1b_1b 6n2 6n3
6n4 6n5 20_mh 23_mh pf 36 pg x3m x3n 20 30 23 8o qj 25 26 27 33 ps 28 34 1v 2r 2c 2h py hk 2g qv q0 qx 1o_53
7jk 19 tk ug 1b 1l 1f f1 24 in 1i rw rb 7jb 2k_2k 27_mt g5 2e 1x b2 27_mw 53_53_53 bt 30 x 27 29 ig 2g pg 4j3
5wf lm 5wu o8 of o3 o4 19_lk 3i_lj 3i_mb 40l 40g 14_14 15_15 6r9 6r8 6rb 17j 4w 53 170 17f 61r 8xu 52 1p fh7
fh6 fjv g1s i76 inu mjv p5e p5e prt prt prt sdy sdy tnh tiv tnh u73 unw kz 13_13 27 7sc 7sd 6go 14 15 7vq 7vr
ll md 1b 7sc lm 1p fjv ijp gbf hlh ggs fik 1b g2z 9ko gkj 53 9oc ffs 1b 2k fh7 fid 7sc fh6 fh5 96z 97b app ako
bp7 9oc 97q 2k 1b 99u 9af 9ag fp1 ftw 9ah 9ai 9ak 9al 9am 9an 9ap 96x 9ar 9as 9at 9au 9ix 9iy 34m 34l 9ax 9ay
9az 9b0 gur gkj hgh h7j hij 9b5 9b6 9b8 hwv 9ba 9bb 9bc 9bd 973 9bf 9bh 9bi 9bk 976 9bl ild bp6 9bm 9bo 9bp
9br 9bs 9bt 978 9bu 9bv 9bw 97a 9bx jee 9bz 97c bi9 9c0 9c1 97d 9c2 99n 9c3 9c4 9c5 9c6 97f 9c7 cov k7u 9c8
bmi 9c9 dhf 9ca kfi bs3 kv1 9cb 9cc 99p 97i 9ce 9cf 97j 9cg 9ch 9ci 97k 9cj 9ck 97l 97m lu0 9cl 97n 9cm 9cn
9co 9cp 9cq 9cr 9cs 9ct 97s 9cu 9cv 9cw 9cx 9cy 9cz 9d0 9d1 9d2 9d3 9d4 9d5 9d6 9d7 9d8 9d9 9da 9db npw 9dc
97x 9dd 9de 9df 99r 9dh 9di 9dj 97z or9 9dk 9dl 981 9dm 989 9dp 9dq 9dr 9ds 98a 9dt kcs kcw kcv bp1 kcz kd4
ph8 kdf 9du 9dv 9dw 9dx 9dy 9dz 9e0 9e1 9e2 9e3 q6l qif 9e4 98h 9e5 9e6 98i 9e9 98k 98j 98l 9eb 9ec dyu ram
rk6 98o 9ed 9ee rq4 9eg 9eh 98p 9ei 9ej ry7 9ek s11 s5z 9el s8v 98r 9en 9ep 9eq slq 9er 9es t65 98w 98y 98z
9ew 990 9ex 9ey trr 9ez 9f0 9f1 994 9f2 9f3 9f4 9f5 995 9f6 9f7 9f8 996 9f9 997 9fa 998 99b 99c 9fc 9fd 9fe
99e 9ff 9fg 9fh 9fi 9fj 9fk 9fm 99h 9fn v9e 9fo 9fq 99k 9fs 99l 9ft vdd 9fw 9fx 9fy 9fz 9g1 99o 9g2 99q 99s
99v 9g5 cop w5p vr4 vnu wgo vua vo0 wci wcf w4x w2h wbv wc5 1u 28 2s 1w 2c 1z 23 22 1v au 2i 1y 6k2 25 26 24
2b 2a g5 2e 20 6kh 2f 2g 2h 4f4 1t 8rz 1x b2 30 27 2d 11k 4bl 1a 18 1a_1a 1a_18 1m 19_1a 1p 1a 1e bs 2x qx
tm_30 jt_2q_2x ig 6i1 li jr 2w_lw 27_27 33_33 1f3c t4 4hl 8s5 ip g5 ps 2e 1r 1e le lg wz7_wz7 kr kq 2c_1f
38_f1 37 1t_1t 2p_2p 1t_27 2p_33 1t_2d 2p_39 1t_2e 2p_3a 1t_2e 2p_3a 1t_2h 2p_3d sf ot 23_mt 27_mt 33_mt 27_27
33_33 1e 3b_me 1f f1 1l 38_2u 12 x2x 3a8 1m 13 53 x0n 1y 2u ii wkk 39 1f wk5 22 2g 1u 67 wuk qx 9oc 1us
3cz_3d2 3cz_3d3 3cz_3d5 3cz_3d8 3d1_3cw 3d1_3cw_3cw 3d1_3cz 3d1_3cz_3cz 3d1_3d2 3d1_3d3 3d1_3d3_3d3
3d1_3d3_3d7 3d1_3d5 3d1_3d8 3d1_3db 3d2_3cw 3d2_3cz 3d2_3d5 3d3_3d5_3dc 3d3_3db 3d3_3de 3d5_3d5_3d3 3d7_3d1
3d7_3de 3d8_3d8_3de 3dc_3dc 3dd_3de 3de_3d5 3fd_3fd 8qn xi5 19e xja xkx xlv 2t 2u 33 33_mw gk_mw d9_33_mw
d9_33_mt 36 36 hv 39 5z7 39 qv qv 3d ux gk_2t 39_33 5qd hs 5qz 33_m3 2x 5q8 5qi 5qf g2 8s6 36 3b i5 ik 33_mt
gy 3e x3n 39_mt at hs 3a 37 in 2r 5qw 8o 33_mt 3ft_3fr 3ft_3ft_ffs 3fx_3fl 3fx_3fl_ffs 3fx_3fp 3fy_3fr
3fy_ffs_ffs 3g2_3fl_ffs 3g2_3ft 9oc_3fl 9oc_3fp 9oc_3fp_ffs 9oc_3ft ffs_3fn_3ft ffs_3fn_ffs ffs_3fr
ffs_3fr_ffs ffs_3ft_ffs ffs_3fx ffs_3g2 ffs_ffs 3ha_3fl 3ha_3fp_ffs 3cy_3d1 3cy_3da 3cz_3cz 3cz_3cz_3d3
3cz_3d3 3cz_3d5 3cz_3d5_3cw 3cz_3d8 3cz_3da 3cz_3dc 3d1_3cw_3cw 3d1_3cw_3de 3d1_3d1_3db 3d1_3d2_3de
3d1_3d3_3cz 3d1_3d3_3dd 3d1_3f0 3d1_3fd_3de 3d1_3d7 3d2_3cy 3d2_3cy_3cy 3d2_3d2 3d2_3d3_3d5 3d2_3d8 3d3_3cz
3d3_3d1_3dd 3d3_3d2 3d3_3d3 3d3_3d5_3cz 3d3_3d8 3d3_3da 3d5_3d2 3d5_3d3_3d7 3d5_3d5_3cw 3d5_3d5_3cz 3d5_3eo
3d5_3d8 3d5_3da 3d5_3dc 3d1_3de 3eo_3d3 3eo_3d3_3d7 3f0_3d2 3f0_3de 3d8_3d3 3d8_3d3_3d3 3d8_3d8 3dd_3d5
3dd_3dc 14 15 53 26_lm 2g_mt 2e_mt 30_mt_30_mt_2b_mt 30_mt_30_mt 8vc 1u pg 1x 1y 30 g5 2g 27 4ik 28 2b 2c 17
1t 1u 1v pg 1y 27 rc 25 2c 2h py 2g q0 q1 8xs 89i 20 17z 18o 187 185 2i 1u 1v 30 25 rc 2c 2g 1k 16 30 2g 1f9e
1f9v b4 27 wl2 x3u 1v 24 8s0 2b au t4 x3n ii 33 x3v 2r hj gu in 37 gk 5qm 1fgm g5 2a xv 27 ig 66 sr 2d 4iu q0
1j i4 qj 33 wvd 39 qw 26 27 23 1v 2e 1y 24 2g mb 1a 1gly_1gly 1h2d 1h1e 1v4 1v4 mb 1tm xdo xdn 6rs lm
1ik4_1iki_1ij6 1ik4_1iki_1ijc 1ik4_1iki_1ijn 1ik4_1iki_1ijt 1ik4_1iki_1ijw 1ik4_1iki_1ijy 1ikr_1ikr 1w8 1wa
1wc 1we 1wf 1wh 1wy 1wk 1wl 1wm 1wn 1wo 1wq 1wu 1wv 1ws 1wj 1ww 1x3 1x4 1xa 1xb 1xj 1xz li_lj 1vn 1xp mb 1x9
3b_lj 27 1yf 1yg 1yk 1ite 1ite 1itf 1itg 1iuq 1iur 1iyp_1iyp 36_32 3a 3b 3b 3b 2e 1y 24 2h 1x 6pz 2i 1l 1x 1g
24 27 4ik 2d 1h 2c 3a 37 1y 2x 3e 1j 33 1f 1l x3n 1i 1l 33 39 3d 27 36_32 19l 2i 2f 1v 2g 2f 1v 1jvp_1jvz
1jvp_1jw0 1jvp_1jvp 1jvp_1jvp_1jvz 1jvp_1jvp_1jw0 1jvv_1jvz 1jvv_1jvv 1jvv_1jvv_1jvz 1jw3_1jvz 1jw3_1jw0
1jw3_1jw3 1jw3_1jw3_1jvz 1jw3_1jw3_1jw0 1k5d_1k5d 1k8a 1fa2 1ggu 6kj pf 2e 2c 24 pg wuw wl2 30 b4 2a 2b 1f g5
1q 1t 2d 2h 13 13 3f 1a zi 1f t4 2e 2k 1j 1y 1f3w wl2 2a 8rz 27_mt 6kk wk5 b4 v4 24 wl2 x6j 1o 1q 6tr 6ts 1b
2k 4i3 11k 30 6qo 19f 1k 6pu 6pu_mt 7ai 6nu 10_6hs 1v_6hs 7jx 7jy 7jx 29_1x wuw pg 1f3w 1t_2a 2e_5wk 7jd 27_mt
1f3c 89r 1v 4ik 6u9 37_37_37 6rz 2c 25_1u 2e_1u 6u8 7sc 1djk 1djj 1djl 1dgs 1djp 1djq 1djr
`;
