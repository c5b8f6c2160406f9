/* Slots and verdicts (protocol, sections 3 and 5; issue 13, invariant 7).

   Honest members (two, or three) and Mallory, a hostile member. The server is honest, or hostile: a hostile server
   gives each member any blob in any slot. The gate stands in the head of a blob: the server applies it, and the chain
   covers it. The author signs commit, gate and place (slot and chain). Mallory can seal a commit anew under another
   head, which that signature does not fit. (If Mallory signs that blob, the author is Mallory, and is named.) A wrong
   gate changes no verdict (gates.pml). All members judge a slot by shared facts.

   Not modelled: what a commit does (hosts.pml, rejoin.pml), and how members come back in step (sync.pml).

   mutant GATE_OUTSIDE_CHAIN breaks equal_verdicts: the gate stands beside the blob, and the chain does not cover it
   mutant OWN_UNCHECKED breaks equal_verdicts: an author adopts its own commit under another head
   mutant STUCK_IS_VOID breaks equal_verdicts: a member that cannot read a path takes the slot for void
   mutant ONE_HEARTBEAT breaks equal_verdicts: a stuck member follows the heartbeat of one member that is no host
   mutant NO_PLACE breaks one_history: neither blob nor commit (SNUG-1) names its slot and chain
   mutant NAME_AT_PLACE breaks true_names: the author of a commit for another slot or chain is named
   mutant NAME_AUTHOR breaks true_names: the author is named when the head is not the signed gate
   mutant NAME_SERVER breaks true_names: the server is named when the head is not the signed gate
   large HONEST=3
   large SLOTS=3 COMMITS=1
   large SLOTS=1 COMMITS=3 */

#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef COMMITS
#define COMMITS 2
#endif
#ifndef HONEST
#define HONEST 2
#endif
#define MALLORY 3
#define NOISE 0                          /* the blob that nobody can read */

#define VALID 1
#define VOID 2
#define STUCK 3

/* Properties. */
bool equal_verdicts = true;              /* members with one chain have one history of verdicts */
bool one_history = true;                 /* a commit is adopted only after the history that its author had */
bool true_names = true;                  /* whoever is named did it: Mallory, or a hostile server */

bool server_hostile;
byte placed[SLOTS + 1];                  /* honest server: 1 + element of each slot; 0: not taken */

/* Commits that were made: blob 0 is noise. */
byte made;
byte author[COMMITS + 1];
short base[COMMITS + 1];                 /* the chain that its author had */
short began[COMMITS + 1];                /* its epoch: the chain at the epoch's beginning */
bool breaks_rule[COMMITS + 1];
byte spoiled[COMMITS + 1];               /* 1 + the member that cannot read its path; 0: all can */

/* Members: position, and the chain and verdicts after each slot, as numbers. */
#define AT(m, s) ((m) * (SLOTS + 1) + (s))
byte slot[HONEST];
short chain[HONEST * (SLOTS + 1)];
byte verdicts[HONEST * (SLOTS + 1)];
short epoch[HONEST];
byte staged[HONEST];                     /* our commit that is out; 0: none */
byte stuck[HONEST];                      /* 1 + the element that we alone cannot read; 0: none */

byte m, k, b, x, e, v, other;

#define ELEMENTS (2 * (COMMITS + 1))
#ifdef GATE_OUTSIDE_CHAIN
#define LINK(element) ((element) - (element) % 2)
#else
#define LINK(element) (element)
#endif
#define CHAIN(m) chain[AT(m, slot[m])]
#define NEXT_CHAIN(m, element) (CHAIN(m) * (ELEMENTS + 1) + 1 + LINK(element))

inline pick(to, n) { to = 0; do :: to + 1 < n -> to++ :: break od }

/* The verdict of member m on element e: commit b, under the head that its author signed (x = 0) or under another. */
inline judge()
{
  v = 0;
  if
  :: b == NOISE || began[b] != epoch[m] -> v = VOID
  :: else
  fi;
  if
  :: v == 0 && author[b] == m && staged[m] != b -> v = VOID       /* MLS has no keys to read an own commit */
  :: else
  fi;
#ifdef OWN_UNCHECKED
  if
  :: v == 0 && staged[m] == b -> v = VALID
  :: else
  fi;
#endif
#ifndef NO_PLACE
  if
  :: v == 0 && base[b] != CHAIN(m) ->
     v = VOID;                           /* the server chooses the place of a blob: nobody is named */
#ifdef NAME_AT_PLACE
     name(author[b])
#endif
  :: else
  fi;
#endif
  if
  :: v == 0 && x == 1 ->
     v = VOID;                           /* a member did this, alone or with the server: nobody is named */
#ifdef NAME_AUTHOR
     name(author[b])
#endif
#ifdef NAME_SERVER
     true_names = true_names && server_hostile
#endif
  :: else
  fi;
  if
  :: v == 0 && breaks_rule[b] -> v = VOID; name(author[b])
  :: else
  fi;
  if
#ifdef STUCK_IS_VOID
  :: v == 0 && spoiled[b] == m + 1 -> v = VOID
#else
  :: v == 0 && spoiled[b] == m + 1 -> v = STUCK
#endif
  :: else
  fi;
  if
  :: v == 0 -> v = VALID
  :: else
  fi
}

inline name(who) { true_names = true_names && who == MALLORY }

inline advance(verdict)
{
  one_history = one_history && (verdict == VOID || base[b] == CHAIN(m));
  chain[AT(m, slot[m] + 1)] = NEXT_CHAIN(m, e);
  verdicts[AT(m, slot[m] + 1)] = verdicts[AT(m, slot[m])] * 3 + verdict;
  slot[m]++;
  if :: verdict == VALID -> epoch[m] = CHAIN(m) :: else fi;
  staged[m] = 0
}

inline compare()
{
  k = 0;
  do
  :: k < HONEST ->
     if
     :: slot[k] == slot[m] && CHAIN(k) == CHAIN(m) ->
        equal_verdicts = equal_verdicts && verdicts[AT(k, slot[k])] == verdicts[AT(m, slot[m])]
     :: else
     fi;
     k++
  :: else -> break
  od;
  k = 0;
  assert(equal_verdicts);
  assert(one_history);
  assert(true_names)
}

inline clear() { m = 0; k = 0; b = 0; x = 0; e = 0; v = 0; other = 0 }

init
{
  if :: server_hostile = true :: server_hostile = false fi;
end:
  do
  :: atomic {                            /* an honest member makes a commit */
       made < COMMITS; pick(m, HONEST);
       staged[m] == 0 && stuck[m] == 0 && slot[m] < SLOTS ->
       made++; author[made] = m; base[made] = CHAIN(m); began[made] = epoch[m]; staged[m] = made;
       printf("step commit member=%d blob=%d\n", m, made); clear()
     }
  :: atomic {                            /* Mallory makes one, of an epoch and chain that some member has */
       made < COMMITS; pick(m, HONEST);
       made++; author[made] = MALLORY; base[made] = CHAIN(m); began[made] = epoch[m];
       if :: breaks_rule[made] = true :: true fi;
       pick(spoiled[made], HONEST + 1);
       printf("step hostile blob=%d breaks=%d spoiled=%d\n", made, breaks_rule[made], spoiled[made]); clear()
     }
  :: atomic {                            /* the server gives a member the blob of its next slot */
       pick(m, HONEST); slot[m] < SLOTS && stuck[m] == 0;
       if
       :: server_hostile -> pick(b, made + 1); if :: x = 0 :: b != NOISE -> x = 1 fi; e = 2 * b + x
       :: !server_hostile && placed[slot[m]] != 0 -> e = placed[slot[m]] - 1; b = e / 2; x = e % 2
       :: !server_hostile && placed[slot[m]] == 0 ->
          pick(b, made + 1);
          if                             /* the server gives it to all; others' commits do not reach Mallory before */
          :: author[b] == MALLORY && b != NOISE -> pick(x, 2)
          :: else -> x = 0
          fi;
          e = 2 * b + x; placed[slot[m]] = e + 1
       fi;
       judge();
       printf("step slot member=%d slot=%d blob=%d gate=%d verdict=%d\n", m, slot[m] + 1, b, x, v);
       if
       :: v == STUCK -> stuck[m] = e + 1
       :: else -> advance(v)
       fi;
       compare(); clear()
     }
  :: atomic {                            /* a stuck member follows the others' heartbeats at this chain */
       pick(m, HONEST); pick(other, HONEST);
       stuck[m] != 0 && m != other && slot[other] > slot[m] &&
       chain[AT(other, slot[m])] == CHAIN(m) &&
       chain[AT(other, slot[m] + 1)] == NEXT_CHAIN(m, stuck[m] - 1) ->
       e = stuck[m] - 1; b = e / 2; stuck[m] = 0;
       v = verdicts[AT(other, slot[m] + 1)] % 3;
       if :: v == 0 -> v = 3 :: else fi;
       printf("step resolve member=%d verdict=%d\n", m, v);
       advance(v); compare(); clear()    /* VALID: by a rejoin */
     }
#ifdef ONE_HEARTBEAT
  :: atomic {                            /* Mallory's heartbeat alone says that the slot is void */
       pick(m, HONEST); stuck[m] != 0 ->
       e = stuck[m] - 1; b = e / 2; stuck[m] = 0;
       printf("step resolve member=%d verdict=%d\n", m, VOID);
       advance(VOID); compare(); clear()
     }
#endif
  od
}
