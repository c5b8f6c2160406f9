/* Gates at an honest server (protocol, section 3; issue 13, invariant 7).

   Bo is an honest member, Ada an honest host. Mallory is a member until Ada evicts him. He has two connections, can
   connect again as often as he likes, takes slots with gates that he alone can open, and shows all passes that he
   knows. A gate is named by the slot that brought it. The server cannot read commits: it sees gates and passes.

   The rule: a slot that the room admin has signed closes all earlier gates. Any other slot leaves them open, beside
   its own. All slots that are not the room admin's come out of one bucket.

   run NO_HOST: Ada is away for good
   mutant REPLACE breaks no_lockout: each slot closes the gates before it
   mutant LAPSE breaks no_lockout: the gates before it open again if nobody shows the pass of the new one
   mutant NO_CLOSING breaks evicted_out: the room admin's slot leaves the gates before it open
   mutant FRESH_FIRST breaks fair: a new connection comes before one that has taken a slot
   mutant BUCKET_PER_PASS breaks rate: each pass has a bucket of its own
   large SLOTS=8
   large SLOTS=7 MALLORYS=3 */

#ifndef SLOTS
#define SLOTS 6
#endif
#define ADA 0
#define BO 1
#ifndef MALLORYS
#define MALLORYS 2                       /* Mallory's connections */
#endif
#define CONNECTIONS (2 + MALLORYS)
#define BUDGET 3                         /* slots of a bucket until it is filled again */
#ifdef BUCKET_PER_PASS
#define BUCKET(gate) (gate)
#else
#define BUCKET(gate) 0
#endif

/* Properties. */
bool no_lockout = true;                  /* the honest members' pass opens a gate, at all times */
bool evicted_out = true;                 /* Mallory takes no slot after Ada's commit that evicts him */
bool fair = true;                        /* while Bo waits, Mallory takes one slot for each connection, and one more */
bool rate = true;                        /* slots that are not the room admin's are bounded, whoever takes them */

byte slot;
byte honest;                             /* the gate that the honest members' pass opens */
short good = 1;                          /* bits: open gates */
short mallory = 1;                       /* bits: gates whose pass Mallory knows */
bool evicted;
byte spent[SLOTS + 1];                   /* of a bucket */
byte taken;                              /* slots that were not the room admin's, since buckets were filled */
byte won[CONNECTIONS];                   /* the last slot that the connection took, or at which it arrived */
byte lost[CONNECTIONS];                  /* the last slot that it raced for in vain */
bool waits;                              /* Bo has a commit to send */
byte passed;                             /* slots that Mallory took since then */

byte w, c, g, before;

#define BIT(gate) (1 << (gate))
#define HAS(set, gate) (((set) >> (gate)) & 1)

inline pick(to, n) { to = 0; do :: to + 1 < n -> to++ :: break od }

/* Bo has lost the last race, and has won less recently than w: w's commit is held until Bo's is there (G6). */
#define BO_IS_DUE (waits && HAS(good, honest) && spent[BUCKET(honest)] < BUDGET && lost[BO] == slot && won[BO] < won[w])

inline take(private, by_admin)
{
  before = good;
  slot++;
  won[w] = slot;
  if
  :: private -> mallory = mallory | BIT(slot)
  :: else -> honest = slot; if :: !evicted -> mallory = mallory | BIT(slot) :: else fi
  fi;
  if
  :: by_admin ->
#ifdef NO_CLOSING
     good = good | BIT(slot)
#else
     good = BIT(slot)
#endif
  :: else ->
     spent[BUCKET(g)]++; taken++;
#ifdef REPLACE
     good = BIT(slot)
#else
#ifdef LAPSE
     if                                  /* the gates before are good again if nobody shows the new pass in time */
     :: good = BIT(slot)                 /* Bo has shown it, or Mallory */
     :: private -> good = good | BIT(slot)
     fi
#else
     good = good | BIT(slot)
#endif
#endif
  fi;
  if                                     /* all others with a commit have lost this race */
  :: waits && w != BO -> lost[BO] = slot; if :: w != ADA -> passed++ :: else fi
  :: waits && w == BO -> waits = false; passed = 0
  :: else
  fi;
  no_lockout = no_lockout && HAS(good, honest);
  fair = fair && passed <= 1 + MALLORYS;
  rate = rate && taken <= BUDGET;
  assert(no_lockout);
  assert(evicted_out);
  assert(fair);
  assert(rate)
}

inline clear() { w = 0; c = 0; g = 0; before = 0 }

init
{
end:
  do
  :: atomic { !waits && slot < SLOTS -> waits = true; printf("step waits\n") }
  :: atomic {                            /* Bo's commit takes the slot */
       waits && slot < SLOTS && HAS(good, honest) && spent[BUCKET(honest)] < BUDGET ->
       w = BO; g = honest; printf("step bo slot=%d\n", slot + 1); take(false, false); clear()
     }
#ifndef NO_HOST
  :: atomic {                            /* Ada's takes it; the first one evicts Mallory, or none does */
       slot < SLOTS && HAS(good, honest) ->
       w = ADA; g = honest;
       if :: evicted = true :: true fi;
       printf("step ada slot=%d evicts=%d\n", slot + 1, evicted);
       take(false, true); clear()
     }
#endif
  :: atomic {                            /* Mallory takes it: with a commit, or with noise and a gate of his own */
       slot < SLOTS; pick(c, MALLORYS); w = 2 + c; pick(g, SLOTS + 1);
       HAS(good, g) && HAS(mallory, g) && spent[BUCKET(g)] < BUDGET && !BO_IS_DUE ->
       evicted_out = evicted_out && !evicted;
       if
       :: printf("step mallory slot=%d connection=%d private=1\n", slot + 1, w); take(true, false)
       :: !evicted && g == honest ->
          printf("step mallory slot=%d connection=%d private=0\n", slot + 1, w); take(false, false)
       fi;
       clear()
     }
  :: atomic {                            /* Mallory connects again */
       pick(c, MALLORYS); w = 2 + c;
#ifdef FRESH_FIRST
       won[w] != 0 -> won[w] = 0;
#else
       won[w] < slot -> won[w] = slot;
#endif
       printf("step again connection=%d\n", w); clear()
     }
  :: atomic {                            /* time passes: buckets are filled again */
       taken > 0 -> taken = 0;
       c = 0; do :: c <= SLOTS -> spent[c] = 0; c++ :: else -> break od;
       printf("step time\n"); clear()
     }
  od
}
