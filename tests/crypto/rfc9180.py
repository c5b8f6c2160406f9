"""Test vectors of RFC 9180, appendices A.1.1, A.1.2, A.2.1 and A.2.2, as the RFC prints them (hex)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Vector:
    """One setup.

    `encryptions` hold sequence number, associated data, nonce and ciphertext; `exports` context and value.
    """

    section: str
    aead: int
    info: str
    ikm_e: str
    sk_em: str
    ikm_r: str
    pk_rm: str
    sk_rm: str
    psk: str
    psk_id: str
    enc: str
    exporter_secret: str
    plaintext: str
    encryptions: tuple[tuple[int, str, str, str], ...]
    exports: tuple[tuple[str, str], ...]


VECTORS = (
    Vector(
        section="A.1.1",
        aead=1,
        info="4f6465206f6e2061204772656369616e2055726e",
        ikm_e="7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234",
        sk_em="52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736",
        ikm_r="6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037",
        pk_rm="3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d",
        sk_rm="4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8",
        psk="",
        psk_id="",
        enc="37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431",
        exporter_secret="45ff1c2e220db587171952c0592d5f5ebe103f1561a2614e38f2ffd47e99e3f8",
        plaintext="4265617574792069732074727574682c20747275746820626561757479",
        encryptions=(
            (
                0,
                "436f756e742d30",
                "56d890e5accaaf011cff4b7d",
                (
                    "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a9"
                    "6d8770ac83d07bea87e13c512a"
                ),
            ),
            (
                1,
                "436f756e742d31",
                "56d890e5accaaf011cff4b7c",
                (
                    "af2d7e9ac9ae7e270f46ba1f975be53c09f8d875bdc8535458c2494e8a6eab25"
                    "1c03d0c22a56b8ca42c2063b84"
                ),
            ),
            (
                2,
                "436f756e742d32",
                "56d890e5accaaf011cff4b7f",
                (
                    "498dfcabd92e8acedc281e85af1cb4e3e31c7dc394a1ca20e173cb7251649158"
                    "8d96a19ad4a683518973dcc180"
                ),
            ),
            (
                4,
                "436f756e742d34",
                "56d890e5accaaf011cff4b79",
                (
                    "583bd32bc67a5994bb8ceaca813d369bca7b2a42408cddef5e22f880b631215a"
                    "09fc0012bc69fccaa251c0246d"
                ),
            ),
            (
                255,
                "436f756e742d323535",
                "56d890e5accaaf011cff4b82",
                (
                    "7175db9717964058640a3a11fb9007941a5d1757fda1a6935c805c21af32505b"
                    "f106deefec4a49ac38d71c9e0a"
                ),
            ),
            (
                256,
                "436f756e742d323536",
                "56d890e5accaaf011cff4a7d",
                (
                    "957f9800542b0b8891badb026d79cc54597cb2d225b54c00c5238c25d05c30e3"
                    "fbeda97d2e0e1aba483a2df9f2"
                ),
            ),
        ),
        exports=(
            ("", "3853fe2b4035195a573ffc53856e77058e15d9ea064de3e59f4961d0095250ee"),
            ("00", "2e8f0b54673c7029649d4eb9d5e33bf1872cf76d623ff164ac185da9e88c21a5"),
            ("54657374436f6e74657874", "e9e43065102c3836401bed8c3c3c75ae46be1639869391d62c61f1ec7af54931"),
        ),
    ),
    Vector(
        section="A.1.2",
        aead=1,
        info="4f6465206f6e2061204772656369616e2055726e",
        ikm_e="78628c354e46f3e169bd231be7b2ff1c77aa302460a26dbfa15515684c00130b",
        sk_em="463426a9ffb42bb17dbe6044b9abd1d4e4d95f9041cef0e99d7824eef2b6f588",
        ikm_r="d4a09d09f575fef425905d2ab396c1449141463f698f8efdb7accfaff8995098",
        pk_rm="9fed7e8c17387560e92cc6462a68049657246a09bfa8ade7aefe589672016366",
        sk_rm="c5eb01eb457fe6c6f57577c5413b931550a162c71a03ac8d196babbd4e5ce0fd",
        psk="0247fd33b913760fa1fa51e1892d9f307fbe65eb171e8132c2af18555a738b82",
        psk_id="456e6e796e20447572696e206172616e204d6f726961",
        enc="0ad0950d9fb9588e59690b74f1237ecdf1d775cd60be2eca57af5a4b0471c91b",
        exporter_secret="3d76025dbbedc49448ec3f9080a1abab6b06e91c0b11ad23c912f043a0ee7655",
        plaintext="4265617574792069732074727574682c20747275746820626561757479",
        encryptions=(
            (
                0,
                "436f756e742d30",
                "9518635eba129d5ce0914555",
                (
                    "e52c6fed7f758d0cf7145689f21bc1be6ec9ea097fef4e959440012f4feb73fb"
                    "611b946199e681f4cfc34db8ea"
                ),
            ),
            (
                1,
                "436f756e742d31",
                "9518635eba129d5ce0914554",
                (
                    "49f3b19b28a9ea9f43e8c71204c00d4a490ee7f61387b6719db765e948123b45"
                    "b61633ef059ba22cd62437c8ba"
                ),
            ),
            (
                2,
                "436f756e742d32",
                "9518635eba129d5ce0914557",
                (
                    "257ca6a08473dc851fde45afd598cc83e326ddd0abe1ef23baa3baa4dd8cde99"
                    "fce2c1e8ce687b0b47ead1adc9"
                ),
            ),
            (
                4,
                "436f756e742d34",
                "9518635eba129d5ce0914551",
                (
                    "a71d73a2cd8128fcccbd328b9684d70096e073b59b40b55e6419c9c68ae21069"
                    "c847e2a70f5d8fb821ce3dfb1c"
                ),
            ),
            (
                255,
                "436f756e742d323535",
                "9518635eba129d5ce09145aa",
                (
                    "55f84b030b7f7197f7d7d552365b6b932df5ec1abacd30241cb4bc4ccea27bd2"
                    "b518766adfa0fb1b71170e9392"
                ),
            ),
            (
                256,
                "436f756e742d323536",
                "9518635eba129d5ce0914455",
                (
                    "c5bf246d4a790a12dcc9eed5eae525081e6fb541d5849e9ce8abd92a3bc15517"
                    "76bea16b4a518f23e237c14b59"
                ),
            ),
        ),
        exports=(
            ("", "dff17af354c8b41673567db6259fd6029967b4e1aad13023c2ae5df8f4f43bf6"),
            ("00", "6a847261d8207fe596befb52928463881ab493da345b10e1dcc645e3b94e2d95"),
            ("54657374436f6e74657874", "8aff52b45a1be3a734bc7a41e20b4e055ad4c4d22104b0c20285a7c4302401cd"),
        ),
    ),
    Vector(
        section="A.2.1",
        aead=3,
        info="4f6465206f6e2061204772656369616e2055726e",
        ikm_e="909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b",
        sk_em="f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600",
        ikm_r="1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df",
        pk_rm="4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a",
        sk_rm="8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb",
        psk="",
        psk_id="",
        enc="1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a",
        exporter_secret="a3b010d4994890e2c6968a36f64470d3c824c8f5029942feb11e7a74b2921922",
        plaintext="4265617574792069732074727574682c20747275746820626561757479",
        encryptions=(
            (
                0,
                "436f756e742d30",
                "5c4d98150661b848853b547f",
                (
                    "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db"
                    "21993c62ce81883d2dd1b51a28"
                ),
            ),
            (
                1,
                "436f756e742d31",
                "5c4d98150661b848853b547e",
                (
                    "6b53c051e4199c518de79594e1c4ab18b96f081549d45ce015be002090bb119e"
                    "85285337cc95ba5f59992dc98c"
                ),
            ),
            (
                2,
                "436f756e742d32",
                "5c4d98150661b848853b547d",
                (
                    "71146bd6795ccc9c49ce25dda112a48f202ad220559502cef1f34271e0cb4b02"
                    "b4f10ecac6f48c32f878fae86b"
                ),
            ),
            (
                4,
                "436f756e742d34",
                "5c4d98150661b848853b547b",
                (
                    "63357a2aa291f5a4e5f27db6baa2af8cf77427c7c1a909e0b37214dd47db122b"
                    "b153495ff0b02e9e54a50dbe16"
                ),
            ),
            (
                255,
                "436f756e742d323535",
                "5c4d98150661b848853b5480",
                (
                    "18ab939d63ddec9f6ac2b60d61d36a7375d2070c9b683861110757062c52b888"
                    "0a5f6b3936da9cd6c23ef2a95c"
                ),
            ),
            (
                256,
                "436f756e742d323536",
                "5c4d98150661b848853b557f",
                (
                    "7a4a13e9ef23978e2c520fd4d2e757514ae160cd0cd05e556ef692370ca53076"
                    "214c0c40d4c728d6ed9e727a5b"
                ),
            ),
        ),
        exports=(
            ("", "4bbd6243b8bb54cec311fac9df81841b6fd61f56538a775e7c80a9f40160606e"),
            ("00", "8c1df14732580e5501b00f82b10a1647b40713191b7c1240ac80e2b68808ba69"),
            ("54657374436f6e74657874", "5acb09211139c43b3090489a9da433e8a30ee7188ba8b0a9a1ccf0c229283e53"),
        ),
    ),
    Vector(
        section="A.2.2",
        aead=3,
        info="4f6465206f6e2061204772656369616e2055726e",
        ikm_e="35706a0b09fb26fb45c39c2f5079c709c7cf98e43afa973f14d88ece7e29c2e3",
        sk_em="0c35fdf49df7aa01cd330049332c40411ebba36e0c718ebc3edf5845795f6321",
        ikm_r="26b923eade72941c8a85b09986cdfa3f1296852261adedc52d58d2930269812b",
        pk_rm="13640af826b722fc04feaa4de2f28fbd5ecc03623b317834e7ff4120dbe73062",
        sk_rm="77d114e0212be51cb1d76fa99dd41cfd4d0166b08caa09074430a6c59ef17879",
        psk="0247fd33b913760fa1fa51e1892d9f307fbe65eb171e8132c2af18555a738b82",
        psk_id="456e6e796e20447572696e206172616e204d6f726961",
        enc="2261299c3f40a9afc133b969a97f05e95be2c514e54f3de26cbe5644ac735b04",
        exporter_secret="73b506dc8b6b4269027f80b0362def5cbb57ee50eed0c2873dac9181f453c5ac",
        plaintext="4265617574792069732074727574682c20747275746820626561757479",
        encryptions=(
            (
                0,
                "436f756e742d30",
                "112e0465562045b7368653e7",
                (
                    "4a177f9c0d6f15cfdf533fb65bf84aecdc6ab16b8b85b4cf65a370e07fc1d78d"
                    "28fb073214525276f4a89608ff"
                ),
            ),
            (
                1,
                "436f756e742d31",
                "112e0465562045b7368653e6",
                (
                    "5c3cabae2f0b3e124d8d864c116fd8f20f3f56fda988c3573b40b09997fd6c76"
                    "9e77c8eda6cda4f947f5b704a8"
                ),
            ),
            (
                2,
                "436f756e742d32",
                "112e0465562045b7368653e5",
                (
                    "14958900b44bdae9cbe5a528bf933c5c990dbb8e282e6e495adf8205d19da9eb"
                    "270e3a6f1e0613ab7e757962a4"
                ),
            ),
            (
                4,
                "436f756e742d34",
                "112e0465562045b7368653e3",
                (
                    "c2a7bc09ddb853cf2effb6e8d058e346f7fe0fb3476528c80db6b698415c5f8c"
                    "50b68a9a355609e96d2117f8d3"
                ),
            ),
            (
                255,
                "436f756e742d323535",
                "112e0465562045b736865318",
                (
                    "2414d0788e4bc39a59a26d7bd5d78e111c317d44c37bd5a4c2a1235f2ddc2085"
                    "c487d406490e75210c958724a7"
                ),
            ),
            (
                256,
                "436f756e742d323536",
                "112e0465562045b7368652e7",
                (
                    "c567ae1c3f0f75abe1dd9e4532b422600ed4a6e5b9484dafb1e43ab9f5fd662b"
                    "28c00e2e81d3cde955dae7e218"
                ),
            ),
        ),
        exports=(
            ("", "813c1bfc516c99076ae0f466671f0ba5ff244a41699f7b2417e4c59d46d39f40"),
            ("00", "2745cf3d5bb65c333658732954ee7af49eb895ce77f8022873a62a13c94cb4e1"),
            ("54657374436f6e74657874", "ad40e3ae14f21c99bfdebc20ae14ab86f4ca2dc9a4799d200f43a25f99fa78ae"),
        ),
    ),
)
