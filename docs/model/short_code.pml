/* The short code (protocol, section 8; no cryptography: a commitment binds, and hides its share).

   Mallory stands between two groups. In view 0 he is with Ada, in view 1 with Bo. Ada and Bo believe that they are in
   one group, and compare their codes by voice. A code depends on all shares of its view. It has 24 bits: whoever
   chooses the last share of two codes, and knows all others, finds one for which both codes are equal. Whoever
   chooses before that can only guess.

   A third member, Cem, is honest, and in view 0 too: Ada reveals only after Cem's commitment as well. The server is
   hostile, and delivers messages in any order, or not at all.

   mutant EARLY_REVEAL breaks reveals_last: a member reveals before it has all commitments
   mutant NOT_BINDING breaks no_choice: a share is not compared with its commitment
   mutant LATER_COMMIT breaks no_choice: a second commitment takes the place of the first
   mutant SILENT_END breaks tries_seen: a run that ends after a share was shown ends without an alarm
   large RUNS=4 */

#ifndef RUNS
#define RUNS 2
#endif
#define ADA 0                            /* of view 0 */
#define CEM 1                            /* of view 0 */
#define BO 2                             /* of view 1 */
#define VIEW(m) ((m) / 2)

/* Properties. */
bool reveals_last = true;                /* nobody reveals a share before all members of the view have committed */
bool no_choice = true;                   /* Mallory never chooses a share with all others of both codes known to him */
bool tries_seen = true;                  /* each run that can have shown Mallory a code ends with a code or an alarm */

/* Of each view in its present run. */
byte runs;                               /* of view 0 that are over */
bool commits[3];                         /* the honest member has committed, and the others have seen it */
bool reveals[3];                         /* it has revealed its share */
bool committed[2];                       /* Mallory has committed in this view */
bool fixed[2];                           /* his share in this view is fixed */
bool revealed[2];                        /* he has revealed it */
byte alarms, learned;                    /* runs of which Mallory learned a code, and alarms about runs, in view 0 */

byte m, v;

inline pick(to, n) { to = 0; do :: to + 1 < n -> to++ :: break od }

#define KNOWN(v) ((v) == 0 -> reveals[ADA] && reveals[CEM] : reveals[BO])
#define ALL_COMMITTED(v) (committed[v] && ((v) == 0 -> commits[ADA] && commits[CEM] : commits[BO]))

inline fix(v)
{
  fixed[v] = true;
  /* the later of his two shares decides */
  no_choice = no_choice && !(fixed[1 - v] && KNOWN(0) && KNOWN(1));
  assert(no_choice)
}

#ifdef EARLY_REVEAL
#define MAY_REVEAL(v) true
#else
#define MAY_REVEAL(v) ALL_COMMITTED(v)
#endif

init
{
end:
  do
  :: atomic { pick(m, 3); !commits[m] -> commits[m] = true; printf("step commits member=%d\n", m); m = 0 }
  :: atomic {                            /* Mallory commits: this fixes his share */
       pick(v, 2); !committed[v] -> committed[v] = true; printf("step mallory commits view=%d\n", v);
#ifndef NOT_BINDING
       fix(v);
#endif
       v = 0
     }
#ifdef LATER_COMMIT
  :: atomic {                            /* a second commitment takes the first one's place */
       pick(v, 2); committed[v] && !revealed[v] -> printf("step mallory commits_again view=%d\n", v); fix(v); v = 0
     }
#endif
  :: atomic {
       pick(m, 3); commits[m] && !reveals[m] && MAY_REVEAL(VIEW(m)) ->
       reveals[m] = true; printf("step reveals member=%d\n", m);
       reveals_last = reveals_last && ALL_COMMITTED(VIEW(m)); assert(reveals_last); m = 0
     }
  :: atomic {                            /* Mallory reveals */
       pick(v, 2); committed[v] && !revealed[v] -> printf("step mallory reveals view=%d\n", v);
#ifdef NOT_BINDING                       /* the share is not compared with the commitment */
       fix(v);
#endif
       revealed[v] = true; v = 0
     }
  :: atomic {                            /* the run of view 0 ends: with a code, too late, or by a change of keys */
       runs + 1 < RUNS ->
       if
       :: reveals[ADA] && reveals[CEM] && revealed[0] -> skip      /* a code, which people see */
       :: !revealed[0] || !reveals[ADA] || !reveals[CEM] ->
          if
          :: (reveals[ADA] || reveals[CEM]) ->
             learned++;
#ifndef SILENT_END
             alarms++
#endif
          :: else                        /* no share has been shown: nothing was learned */
          fi
       fi;
       runs++; commits[ADA] = false; commits[CEM] = false; reveals[ADA] = false; reveals[CEM] = false;
       committed[0] = false; fixed[0] = false; revealed[0] = false;
       printf("step ends view=0 learned=%d alarms=%d\n", learned, alarms);
       tries_seen = tries_seen && learned == alarms; assert(tries_seen)
     }
  od
}
