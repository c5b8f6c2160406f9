/* Coming back in step (protocol, section 6; issue 13, invariants 1 and 7).

   Members 0 to N-1 are honest; no step needs a host. While the server is hostile, it restarts, forks, withholds, and
   claims what it likes. Then it stops: it serves one room honestly, which has any of the states that it can be left
   in. It has kept any part of the blobs. Members are at any slot of one of two histories. Every honest step is one
   that the protocol allows at that point. All runs have to end with all members in step.

   A member "waits" when it asks in the lobby to be admitted again. Its old membership stays usable.

   ends: no run goes round in circles
   mutant NO_BREAKER breaks in_step: only a host opens the room, and only if nobody has
   mutant WAITS_ONLY breaks in_step: a member that waits in the lobby does not go on in the room
   mutant HINT breaks kept: a member gives up its membership because the server says that blobs are gone
   large N=4 SLOTS=3
   large N=3 SLOTS=4 KEPT=2 */

#ifndef N
#define N 3
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef KEPT
#define KEPT 1                           /* slots whose blobs a member keeps, to hand them over */
#endif

/* Properties. */
bool in_step = true;                     /* after the adversary has stopped, all honest members are in step */
bool kept = true;                        /* a membership is given up only if another member has gone on without it */

bool stopped;
bool open;                               /* the server's room is open, */
bool unknown;                            /* at a slot, by a gate, that no member knows */
byte slot;
bit branch;
byte held;                               /* it has the blobs after this slot */
byte at[N];
bit fork[N];
bool waits[N];

byte i, top;

#define USABLE (open && !unknown)
#define HERE(m) (USABLE && at[m] == slot && fork[m] == branch)
#define SYNCED(m) (HERE(m) && !waits[m])
#ifdef WAITS_ONLY
#define MAY_GO_ON(m) (!waits[m])
#else
#define MAY_GO_ON(m) true
#endif
#define CATCHES_UP(m) (USABLE && MAY_GO_ON(m) && fork[m] == branch && at[m] < slot && held <= at[m])
#define HANDS_OVER(m) (USABLE && MAY_GO_ON(m) && fork[m] == branch && at[m] > slot && at[m] - slot <= KEPT)
#define GOES_ON(m) (MAY_GO_ON(m) && waits[m] && HERE(m))

#if N == 4
#define ANY(what) (what(0) || what(1) || what(2) || what(3))
#define SOME_SYNCED (SYNCED(0) || SYNCED(1) || SYNCED(2) || SYNCED(3))
#else
#define ANY(what) (what(0) || what(1) || what(2))
#define SOME_SYNCED (SYNCED(0) || SYNCED(1) || SYNCED(2))
#endif
/* A member that is ahead by more slots than it keeps is on a history of its own, like one that the server forked. */
#define REJOINS(m) (!HERE(m) && !CATCHES_UP(m) && !HANDS_OVER(m) && SOME_SYNCED)
#define NO_STEP (!ANY(CATCHES_UP) && !ANY(HANDS_OVER) && !ANY(GOES_ON) && !ANY(REJOINS))
#define DONE (SYNCED(0) && SYNCED(1) && SYNCED(2) && (N == 3 || SYNCED(N - 1)))

/* Whether somebody has gone on without m: m hears its signed heartbeats. */
#define APART(m, k) (fork[k] != fork[m] || at[k] > at[m])
#define LEFT_BEHIND(m) (APART(m, 0) || APART(m, 1) || APART(m, 2) || (N == 4 && APART(m, N - 1)))

inline open_room(m)                      /* at the earliest slot of which m has all blobs that follow */
{
  open = true; unknown = false; slot = (at[m] > KEPT -> at[m] - KEPT : 0); branch = fork[m]; held = slot
}

inline rejoin(m)                         /* a member in step commits the rejoin; this takes no slot here */
{
  at[m] = slot; fork[m] = branch; waits[m] = false
}

#define MEMBER(m) \
  :: atomic { !stopped && at[m] < SLOTS -> at[m]++; printf("step slot member=%d\n", m) } \
  :: atomic { !stopped && at[m] > 0 && fork[m] == 0 -> fork[m] = 1; printf("step fork member=%d\n", m) } \
  :: atomic { !stopped && !waits[m] && GIVES_UP(m) -> \
       waits[m] = true; kept = kept && LEFT_BEHIND(m); printf("step waits member=%d\n", m); assert(kept) } \
  :: atomic { stopped && CATCHES_UP(m) -> at[m]++; printf("step catch_up member=%d\n", m) } \
  :: atomic { stopped && HANDS_OVER(m) -> slot++; printf("step hand_over member=%d\n", m) } \
  :: atomic { stopped && GOES_ON(m) -> waits[m] = false; printf("step goes_on member=%d\n", m) } \
  :: atomic { stopped && REJOINS(m) -> rejoin(m); printf("step rejoin member=%d\n", m) } \
  :: atomic { stopped && BREAKS(m) -> open_room(m); printf("step opens member=%d\n", m) }

#ifdef HINT                              /* the server's word alone */
#define GIVES_UP(m) true
#else
#define GIVES_UP(m) LEFT_BEHIND(m)
#endif

/* Nobody is in the room, and no other step is left: whoever comes first opens it (G5). */
#ifdef NO_BREAKER
#define BREAKS(m) (m == 0 && !open && MAY_GO_ON(m))
#else
#define BREAKS(m) (NO_STEP && MAY_GO_ON(m) && !SOME_SYNCED)
#endif

inline pick(to, n) { to = 0; do :: to + 1 < n -> to++ :: break od }

init
{
  do
  MEMBER(0)
  MEMBER(1)
  MEMBER(2)
#if N == 4
  MEMBER(3)
#endif
  :: atomic { !stopped ->
       stopped = true;
       if
       :: open = false
       :: open = true; unknown = true
       :: open = true; pick(slot, SLOTS + 1); pick(branch, 2); pick(held, SLOTS + 1);
          if :: held > slot -> held = slot :: else fi
       fi;
       printf("step stop open=%d unknown=%d slot=%d branch=%d held=%d\n", open, unknown, slot, branch, held)
     }
  :: atomic { stopped && NO_STEP && !BREAKS(0) && !BREAKS(1) && !BREAKS(2) && (N == 3 || !BREAKS(N - 1)) ->
       in_step = in_step && DONE; assert(in_step); break }
  od
}
