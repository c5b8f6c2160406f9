/* Leases: when members come to speak at one honest server (protocol, section 7; decisions 97 and 100; P1, P3 of issue 13).

   Three members at one server, member 0 is the host. A member speaks while more than half of all, itself included,
   have lately confirmed its epoch, and a host's lease holds, or its person goes on without the host. One member's
   unproven claim stops the others for a moment, for which each has a share per signature key.

   At first the operator is hostile: it delivers and withholds heartbeats as it likes, so that confirmations and leases
   end at any moment, and persons go on at any moment. From some time on the server is honest. Until then one member
   may have died for good, or member 2 lies for ever: it claims, rejoins, and confirms whom it likes.

   A turn of an honest member is one step: its heartbeat, the ends of what has lasted its time, its person's answer.
   Turns are weakly fair. A heartbeat comes three times in the time that a confirmation lasts, so the confirmation of a
   living member does not end any more. A person has to answer only if the host is dead.

   In the code: more than half and a lease are `Freshness.until`, the override `Holding.override` and `judge`, claims
   `Claims.stop`. Not modelled: a second host, removals that wait, claims by hosts or by two members, programs that
   follow when more than half go on, newcomers that nobody has answered yet.

   run STRICT: a host's word lasts as long as anybody's
   mutant NO_RENEWAL breaks speaks: a lease that has ended does not begin again
   mutant NO_GOING_ON breaks speaks: nobody can go on without the host
   mutant WAITS_FOR_ALL breaks speaks: a pause waits for a word of everybody
   mutant OVERRIDE_ENDS breaks speaks: going on ends while the doubt stands
   mutant NO_SHARE breaks speaks: each claim of a member stops for a moment
   mutant PER_LEAF breaks speaks: a member's share belongs to its leaf, and a rejoin gives it back */

#define NOBODY 3                         /* the number of no member */

bool calm;                               /* the server is honest from now on */
byte dead = NOBODY;
bool lies;                               /* member 2 does */

/* By member: the others' valid confirmations, as bits; the host's lease; the person goes on without the host. */
byte confirmed[3];
bit lease[3];
bit ended[3];                            /* a lease that was there is over; for the mutant */
bit goes_on[3];
/* Member 2's claim stops this member; it has used up what it may. */
bit stopped[3];
bit spent[3];

#define OTHER(m) (3 - (m))               /* of members 1 and 2 */
#define HAS(m, k) ((confirmed[m] >> (k)) & 1)
#ifdef WAITS_FOR_ALL
#define ENOUGH(m) (confirmed[m] == (7 & ~(1 << (m))))
#else
#define ENOUGH(m) (confirmed[m] != 0)    /* two of three */
#endif
#ifdef STRICT
#define LEASE(m) HAS(m, 0)
#else
#define LEASE(m) (lease[m] || HAS(m, 0))
#endif
#define HOSTED(m) ((m) == 0 || (LEASE(m) && !ended[m]))
#define FRESH(m) (ENOUGH(m) && HOSTED(m))
#define SPEAKS(m) (!stopped[m] && (FRESH(m) || goes_on[m]))
#define LIVES(m) ((m) != dead && !(lies && (m) == 2))
#define ALL_SPEAK ((!LIVES(0) || SPEAKS(0)) && (!LIVES(1) || SPEAKS(1)) && (!LIVES(2) || SPEAKS(2)))
/* Nothing is missing but the host. */
#define LACKS_A_HOST(m) ((m) != 0 && !stopped[m] && !HOSTED(m) && HAS(m, OTHER(m)))

/* Properties. */
ltl speaks { <>[](calm -> ALL_SPEAK) }  /* once the server is honest, all living honest members speak in the end, and go on to */

inline pick(to) { to = 0; do :: to < 2 -> to++ :: break od }

/* Going on ends when nothing is missing any more, or something else is. */
inline judges(m)
{
  if
  :: goes_on[m] && (FRESH(m) || !HAS(m, OTHER(m))) -> goes_on[m] = 0
#ifdef OVERRIDE_ENDS
  :: goes_on[m] -> goes_on[m] = 0
#endif
  :: else
  fi
}

/* Member k's heartbeat reaches m. */
inline hears(m, k)
{
  if
  :: (m) != (k) && (m) != dead ->
       confirmed[m] = confirmed[m] | (1 << (k));
       if :: (k) == 0 && !ended[m] -> lease[m] = 1 :: else fi
  :: else
  fi
}

/* A confirmation of k's ends; with it what rested on that. */
inline ends(m, k)
{
  confirmed[m] = confirmed[m] & ~(1 << (k));
  judges(m)
}

inline lease_ends(m)
{
  lease[m] = 0;
#ifdef NO_RENEWAL
  if :: m != 0 -> ended[m] = 1 :: else fi;
#endif
  judges(m)
}

inline person_goes_on(m)
{
#ifndef NO_GOING_ON
  if :: LACKS_A_HOST(m) && !goes_on[m] -> goes_on[m] = 1; printf("step goes_on member=%d\n", m) :: else fi
#else
  skip
#endif
}

inline claims(m)
{
  if
  :: (m) != 2 && !spent[m] -> stopped[m] = 1; printf("step claim member=%d\n", m)
  :: else
  fi
}

/* What a member does by itself when its time has come. */
inline times(m)
{
  if
  :: stopped[m] ->
       stopped[m] = 0;
#ifndef NO_SHARE
       spent[m] = 1;
#endif
       printf("step claim_over member=%d\n", m)
  :: else
  fi;
  if :: dead != NOBODY && dead != m && HAS(m, dead) -> ends(m, dead) :: else fi;
  if :: dead == 0 && lease[m] -> lease_ends(m) :: else fi
}

active proctype Adversary()
{
  byte m, k;
  do
  :: atomic { !calm -> pick(m); pick(k); hears(m, k); judges(m); printf("step hears member=%d of=%d\n", m, k); m = 0; k = 0 }
  :: atomic { !calm -> pick(m); pick(k); ends(m, k); printf("step silence member=%d of=%d\n", m, k); m = 0; k = 0 }
  :: atomic { !calm -> pick(m); lease_ends(m); printf("step lease_over member=%d\n", m); m = 0 }
  :: atomic { !calm -> pick(m); person_goes_on(m); m = 0 }
  :: atomic { !calm -> pick(m); claims(m); m = 0 }
  :: atomic { !calm -> pick(m); times(m); m = 0 }
  :: atomic { !calm ->
       if
       :: skip
       :: dead = 0
       :: dead = 1
       :: dead = 2
       :: lies = true
       fi;
       calm = true; printf("step calm dead=%d lies=%d\n", dead, lies)
     }
  :: atomic { calm && lies -> pick(m); claims(m); m = 0 }
  :: atomic { calm && lies -> pick(m); hears(m, 2); judges(m); m = 0 }
  :: atomic { calm && lies -> pick(m); ends(m, 2); m = 0 }
#ifdef PER_LEAF
  :: atomic { calm && lies -> spent[0] = 0; spent[1] = 0; printf("step rejoin member=2\n") }
#endif
  od
}

/* A turn of an honest member at the honest server. */
#define MEMBER(m) \
  do \
  :: atomic { calm && LIVES(m) -> \
       hears(0, m); hears(1, m); hears(2, m); judges(0); judges(1); judges(2); \
       times(m); \
       if :: dead == 0 -> person_goes_on(m) :: else fi; \
       printf("step turn member=%d\n", m) } \
  od

active proctype Ada() { MEMBER(0) }
active proctype Bo() { MEMBER(1) }
active proctype Cem() { MEMBER(2) }
