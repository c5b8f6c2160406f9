/* Together: members come to one of two servers (protocol, section 12; decision 91; P3 of issue 13).

   A host, member 0, and two members; two servers, 0 where the meeting began. All but what is told here about places is
   as in the code, in ticks of 4 s. A member without the room tries the other server. One that hears no more than half
   at its server, itself included, goes to the other one, and so does a host that no more than half hear. A host that
   hears more than half from elsewhere waits longer.
   A member that has heard no host here for 6 s has a lookout at the other server, and follows a host that it hears there.

   At first the other server serves, and carries heartbeats, as it likes, and one member at a time, 0 or 1, does not reach
   the honest one. From some time on all reach it. The other server goes on to serve some members for ever, and carries
   heartbeats among some, both ways or not at all. FAULTS: any members do not reach the honest one at first.

   In the code: `PlaceQuorum.tick` and `_has_waited`, `HostSearch.tick`, `Moving.tick`. Not modelled: a mirror, more than
   two servers, members' places, called moves, how long a room takes to open. The wait where the meeting began doubles
   twice at most. The wait before a host is followed is shorter than the host's own at one place: else they can miss each
   other for ever.

   mutant ONLY_FEW breaks most_meet: only a member that hears no more than half looks at the other server
   mutant STAYS breaks most_meet: a member that hears no more than half stays
   mutant NO_DOUBLING breaks most_meet: where the meeting began, a member that comes back alone waits no longer than before
   mutant HEARS_ENOUGH breaks most_meet: a host stays where it hears more than half, and they don't hear it
   run HOST_MUTE: the other server passes on all heartbeats but the host's
   limit ONE_WAY breaks most_meet: the other server delivers heartbeats to the host alone, which counts who has just come
   limit APART breaks all_meet: the other server cuts off a member that is no host, and the others do not look for it
   large FAULTS
   large FOLLOW=4 */

#define LOOK_AFTER 2                     /* ticks without a host before a member looks for one: 6 s */
#ifndef FOLLOW
#define FOLLOW 1                         /* ticks for which it hears one elsewhere before it follows: 4 s */
#endif
#define FRESH 4                          /* ticks for which somebody counts as here that is not heard: 15 s */
#ifndef DOUBLED
#define DOUBLED 2                        /* how often that wait doubles where the meeting began, if they stay away */
#endif
#define AWAITED 5                        /* ticks for which a host waits that hears the others from elsewhere: 20 s */

bool calm;
/* As of the last tick, the host, and the host and all, are at one server with more than half that hear each other. */
bool most_met;
bool all_met;
bool apart;                              /* the other server treats members 1 and 2 differently */
bit good;                                /* the honest server */
/* By member, as bits: which the other server serves, to which it delivers heartbeats, and whose. */
byte serves = 7;
byte delivers = 7;
byte reached = 7;                        /* who reaches the honest one */

bit at[3];
bit inside[3];
byte without[3];                         /* ticks without more than half here; who comes begins at FRESH */
byte doubled[3];                         /* how often that wait has doubled */
byte called[3];                          /* ticks for which the host hears them from elsewhere */
byte hostless[3];
byte elsewhere[3];                       /* ticks for which the host is heard elsewhere alone */

#define BIT(set, m) (((set) >> (m)) & 1)
#define SERVED(m, s) (((s) == good && BIT(reached, m)) || ((s) != good && BIT(serves, m)))
#define OTHER(m) (1 - at[m])
#ifdef ONLY_FEW
#define LOOKS(m) false
#else
#define LOOKS(m) ((m) != 0 && inside[m] && hostless[m] >= LOOK_AFTER && SERVED(m, OTHER(m)))
#endif
/* Whether m is at server s, by its connection to the room or its lookout. */
#define THERE(m, s) ((inside[m] && at[m] == (s)) || (LOOKS(m) && at[m] != (s)))
#if defined(HOST_MUTE) || defined(HEARS_ENOUGH)
#define DELIVERED(m, k, s) ((s) == good || ((k) != 0 && BIT(delivers, m)))
#elif defined(ONE_WAY)
#define DELIVERED(m, k, s) ((s) == good || BIT(delivers, m))
#else
#define DELIVERED(m, k, s) ((s) == good || (BIT(delivers, m) && BIT(delivers, k)))
#endif
#define HEARS_AT(m, k, s) (THERE(m, s) && THERE(k, s) && DELIVERED(m, k, s))
#define HEARS(m, k) (inside[k] && (HEARS_AT(m, k, 0) || HEARS_AT(m, k, 1)))
#define HERE(m, k) (at[m] == at[k] && HEARS(m, k))
#define AWAY(m, k) (at[m] != at[k] && HEARS(m, k))
#define NEXT(m) (((m) + 1) % 3)
#define AFTER(m) (((m) + 2) % 3)
#define WAIT(m) (FRESH + (2 << (at[m] == 0 -> doubled[m] : 0)))
#ifdef HEARS_ENOUGH
#define HEARD_BY(m, k) true
#else
#define HEARD_BY(m, k) ((m) != 0 || HERE(k, m))
#endif
#define COUNTS(m, k) (HERE(m, k) && HEARD_BY(m, k))
#define MOST(m) (COUNTS(m, NEXT(m)) || COUNTS(m, AFTER(m)))
#define MET(m) (inside[m] && MOST(m) && ((m) == 0 || HERE(m, 0)))

/* Properties. */
ltl most_meet { <>[](calm -> most_met) }  /* once all reach one honest server, the host and more than half meet in the end, and stay */
ltl all_meet { <>[](calm -> (all_met || apart)) }  /* all do, unless the other server keeps a member apart that is no host */

inline leaves(m)
{
  at[m] = 1 - at[m]; inside[m] = 0; without[m] = 0; called[m] = 0; hostless[m] = 0; elsewhere[m] = 0
}

/* One tick of a member. */
inline ticks(m)
{
  if
  :: !inside[m] && SERVED(m, at[m]) -> inside[m] = 1; without[m] = FRESH
  :: !inside[m] && !SERVED(m, at[m]) -> leaves(m)
  :: inside[m] && !SERVED(m, at[m]) -> leaves(m)
  :: else -> counts(m); if :: m != 0 && inside[m] -> searches(m) :: else fi
  fi
}

inline counts(m)
{
  if
  :: MOST(m) -> without[m] = 0; called[m] = 0; doubled[m] = 0
#ifndef STAYS
  :: !MOST(m) ->
       if
       :: m == 0 && (AWAY(m, 1) || AWAY(m, 2)) -> called[m]++
       :: else -> called[m] = 0
       fi;
       if :: without[m] < FRESH + (2 << DOUBLED) -> without[m]++ :: else fi;
#ifdef NO_WAITING
       called[m] = 0;
#endif
       if
       :: (called[m] == 0 && without[m] >= WAIT(m)) || called[m] > AWAITED ->
#ifndef NO_DOUBLING
            if :: at[m] == 0 && doubled[m] < DOUBLED -> doubled[m]++ :: else fi;
#endif
            leaves(m)
       :: else
       fi
#endif
  :: else
  fi
}

inline searches(m)
{
  if
  :: HERE(m, 0) -> hostless[m] = 0; elsewhere[m] = 0
  :: else ->
       if :: hostless[m] < LOOK_AFTER -> hostless[m]++ :: else fi;
       if
       :: AWAY(m, 0) && elsewhere[m] >= FOLLOW -> leaves(m)
       :: AWAY(m, 0) && elsewhere[m] < FOLLOW -> elsewhere[m]++
       :: !AWAY(m, 0) -> elsewhere[m] = 0
       fi
  fi
}

inline flip(set)
{
  if :: set = set ^ 1 :: set = set ^ 2 :: set = set ^ 4 fi
}

active proctype Meeting()
{
  if
  :: good = 0
  :: good = 1
  fi;
  do
  :: atomic { !calm -> flip(serves); delivers = delivers & serves }
  :: atomic { !calm -> flip(delivers); delivers = delivers & serves }
#ifdef FAULTS                            /* of all */
  :: atomic { !calm -> flip(reached) }
#else                                    /* of one at a time, of two members */
  :: atomic { !calm -> if :: reached = 7 :: reached = 6 :: reached = 5 fi }
#endif
  :: atomic { !calm ->
       calm = true; reached = 7;
#ifndef APART
       apart = BIT(serves, 1) != BIT(serves, 2) || BIT(delivers, 1) != BIT(delivers, 2);
#endif
       printf("step calm good=%d serves=%d delivers=%d\n", good, serves, delivers)
     }
  :: atomic {
       ticks(0); ticks(1); ticks(2);
       most_met = MET(0) && (MET(1) || MET(2)); all_met = MET(0) && MET(1) && MET(2);
       printf("step tick at=%d%d%d inside=%d%d%d\n", at[0], at[1], at[2], inside[0], inside[1], inside[2])
     }
  od
}

