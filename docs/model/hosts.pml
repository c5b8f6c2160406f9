/* Host keys and returns (SNUG-9; issue 13, invariant 6).

   Ada, Bo and Cem are hosts. Ada and Cem are honest. Bo turns hostile, and keeps every seed that he had. A thief
   copies Ada's recovery file once. The policy names the current return key, by its generation. When a host has lost
   the role, no return is good until a host has changed the keys. When a host has been silent for 60 s, another host
   changes them.

   A return needs the current return key. It replaces the leaf of a host, under that host's name. A host commits it if
   its person agrees: honest hosts agree only to the person that has this name. Another member may commit it if no
   host has committed for 16 slots. Mallory, a hostile member, commits every return that the rules allow. A host that
   is heard commits after 8 slots at the latest. With SWALLOWED, the server does not let it.

   mutant OLD_KEY breaks old_file: a return key of any generation will do
   mutant NOT_CLOSED breaks former_out: returns are good between the loss of a role and the change of the keys
   mutant NEW_NAME breaks same_name: a return may bring a new name
   mutant NO_AGAIN breaks seed_kept: no second rotation if the first host vanishes before it sends the seed
   mutant NO_COUNT breaks approved: a member commits a return at any time
   limit SWALLOWED breaks approved: Mallory, the server and the holder of the current key let somebody in as a host
   large GENERATIONS=8 */

#ifndef GENERATIONS
#define GENERATIONS 4
#endif
#define ADA 0
#define BO 1
#define CEM 2
#define THIEF 3

/* Properties. */
bool former_out = true;                  /* a host that lost the role does not get it back by a key */
bool old_file = true;                    /* a file from before a rotation makes nobody a host */
bool same_name = true;                   /* a return replaces a host, and adds nobody else */
bool approved = true;                    /* while a host is heard, no return happens without a host's agreement */
bool seed_kept = true;                   /* if a host is left, a host that is left has the current seed */

byte generation = 1;
bool role[3] = true;                     /* the policy lists a leaf of this name as a host's */
bool honest[3];                          /* that leaf is Ada's, or Cem's, own */
bool heard[3] = true;
byte seed[4];                            /* the newest generation that the person has; 0: none */
bool bo_lost_role;
bool due;                                /* a former host has the current keys: returns are closed */

byte quiet;                              /* eights of slots without a commit by a host, up to two */

byte m, name;
bool approval;

inline pick(to, n) { to = 0; do :: to + 1 < n -> to++ :: break od }

#define ACTS(m) (role[m] && honest[m] && heard[m])
#define KNOWS(m) (seed[m] == generation)
#define OTHER(m) (CEM - (m))             /* the other honest host */
#define GRANTS(m) (ACTS(m) && KNOWS(m) && ACTS(OTHER(m)) && !KNOWS(OTHER(m)))
#define MAY_ROTATE (generation < GENERATIONS + 2)         /* the model's bound */
#ifdef NO_AGAIN
#define ROTATES_AGAIN(m) false
#else
#define ROTATES_AGAIN(m) (ACTS(m) && !KNOWS(m) && !(ACTS(OTHER(m)) && KNOWS(OTHER(m))) && MAY_ROTATE)
#endif

inline rotate(by) { generation++; seed[by] = generation; due = false; quiet = 0 }

#define HOST(m) \
  :: atomic { ACTS(m) && role[BO] && generation < GENERATIONS -> \
       role[BO] = false; bo_lost_role = true; quiet = 0; DUE; \
       printf("step demotes by=%d generation=%d\n", m, generation) } \
  :: atomic { ACTS(m) && (due || (role[OTHER(m)] && !heard[OTHER(m)])) && generation < GENERATIONS -> \
       rotate(m); printf("step rotates by=%d generation=%d\n", m, generation) } \
  :: atomic { GRANTS(m) -> seed[OTHER(m)] = seed[m]; printf("step grants by=%d generation=%d\n", m, generation) } \
  :: atomic { ACTS(m) && KNOWS(m) && role[BO] && seed[BO] < generation -> \
       seed[BO] = generation; printf("step grants to_bo generation=%d\n", generation) } \
  :: atomic { ROTATES_AGAIN(m) -> rotate(m); printf("step rotates_again by=%d generation=%d\n", m, generation) } \
  :: atomic { heard[m] -> heard[m] = false; printf("step silent who=%d\n", m) } \
  :: atomic { role[m] && honest[m] && !heard[m] -> heard[m] = true; quiet = 0; printf("step heard who=%d\n", m) } \
  :: atomic { ACTS(m) && quiet != 0 -> quiet = 0; printf("step commits who=%d\n", m) }

#ifdef NOT_CLOSED
#define DUE skip
#else
#define DUE due = true
#endif

#ifdef SWALLOWED
#define HOSTS_COMMIT false
#else
#define HOSTS_COMMIT (ACTS(ADA) || ACTS(CEM))
#endif
#ifdef NO_COUNT
#define MEMBER_MAY true
#else
#define MEMBER_MAY (quiet == 2)
#endif

#ifdef OLD_KEY
#define FITS(m) (seed[m] != 0)
#else
#define FITS(m) KNOWS(m)
#endif

init
{
  honest[ADA] = true; honest[CEM] = true;
  seed[ADA] = 1; seed[BO] = 1; seed[CEM] = 1;
  do
  HOST(ADA)
  HOST(CEM)
  :: atomic { heard[BO] -> heard[BO] = false; printf("step silent who=%d\n", BO) }
  :: atomic { seed[THIEF] == 0 -> seed[THIEF] = seed[ADA]; printf("step theft generation=%d\n", seed[THIEF]) }
  :: atomic { quiet == 0 -> quiet = 1; printf("step slots quiet=1\n") }
  :: atomic { quiet == 1 && !HOSTS_COMMIT -> quiet = 2; printf("step slots quiet=2\n") }
  :: atomic {                            /* a return */
       pick(m, 4); pick(name, 3);
       FITS(m) && !due &&
#ifndef NEW_NAME
       role[name] &&
#endif
       (m == name || m == BO || m == THIEF) && (m == THIEF || m == BO || !heard[m]) && !(m == BO && role[BO]) ->
       if
       :: m == name && (ACTS(ADA) || ACTS(CEM)) -> approval = true
       :: role[BO] -> approval = true                       /* Bo is a host, and hostile: he agrees */
       :: MEMBER_MAY -> approval = !ACTS(ADA) && !ACTS(CEM) /* Mallory commits it */
       fi;
       quiet = 0;
       printf("step return who=%d name=%d generation=%d approval=%d\n", m, name, seed[m], approval);
       former_out = former_out && !(m == BO && bo_lost_role);
       old_file = old_file && !(m == THIEF && !KNOWS(THIEF));
       same_name = same_name && role[name];
       approved = approved && approval;
       role[name] = true; heard[name] = true; honest[name] = (m == name && m != BO);
       assert(former_out); assert(old_file); assert(same_name); assert(approved);
       m = 0; name = 0; approval = false
     }
  :: atomic {                            /* the hosts that are left have done all that they can */
       !GRANTS(ADA) && !GRANTS(CEM) && !ROTATES_AGAIN(ADA) && !ROTATES_AGAIN(CEM) && MAY_ROTATE &&
       (ACTS(ADA) || ACTS(CEM)) ->
       seed_kept = seed_kept && ((ACTS(ADA) && KNOWS(ADA)) || (ACTS(CEM) && KNOWS(CEM)));
       assert(seed_kept); break
     }
  od
}
