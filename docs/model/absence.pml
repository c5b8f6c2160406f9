/* Absence: a host takes silent members off the list, and they come back (decisions 97, 98 and 100).

   Four members of a strict meeting, member 0 is the host. A member speaks while more than half of its list, itself
   included, and a host have lately confirmed that they have this list. A host that has too few confirmations, and hears
   somebody, takes off as absent a member that it does not hear, and no host. It takes off as few as are needed for those
   whom it hears to be more than half, and nobody twice within a time. It has waited by then until those that it does not
   hear have no confirmation of its own any more. A member that has seen its removal is let in again by anybody that
   has the newest list.

   At first the server hands heartbeats to hosts, and changes to all, as it likes, and up to two members die, but not all
   hosts. From some time on it is honest, and all act in rounds. A list has one that follows it: the server cannot show
   two. A member that adopts a list has no confirmations at first. The others' confirmations of a member that
   has gone on to the next list still count; with TWO_HOSTS they do not.

   In the code: `SilentMajority.tick`, `Freshness.until`, `Holding.confirm`. Not modelled: two servers, larger meetings,
   how long anything takes, absence by a member's own word, a host's return, claims, going on without a host (`leases`).

   mutant ANY_MEMBER breaks only_silent: any member takes off whom it does not hear
   mutant ONE_WORD breaks only_silent: a host takes off whom another member does not hear
   mutant ANY_TIME breaks only_needed: a host takes off the silent although more than half confirm its list
   mutant NO_PATIENCE breaks one_meeting: a host takes off the silent while they have a confirmation of its own
   limit LEASE breaks one_meeting: the meeting is not strict, and a host's word outlasts its patience
   limit TWO_HOSTS breaks one_meeting: member 1 is a host, too, and has an older list, in which its half is more than half
   mutant NO_REMOVAL breaks goes_on: nobody is taken off
   mutant NO_WAY_BACK breaks goes_on: a member that was taken off does not come back by itself
   large LISTS=5 */

#define ALL 15
#ifndef LISTS
#define LISTS 3                          /* lists that are made while the server is hostile */
#endif
#ifdef TWO_HOSTS
#define HOSTS 3
#else
#define HOSTS 1
#endif

bool calm;                               /* the server is honest from now on */
byte dead;                               /* members, as bits */
byte list[14];                           /* the members in each list */
byte before[14];                         /* the list that it follows */
byte last;                               /* the newest list */
/* As of now: who has the confirmations of more than half, and who speaks. */
byte enough;
byte speaks;
byte a, b, set;
bool good;                               /* all living members were back and spoke in the last round */

/* By member. */
byte at[4];                              /* the list that it has */
bit out[4];                              /* it has seen its removal */
byte confirmed[4];                       /* whose confirmations last */
byte heard[4];                           /* by a host: whose signed heartbeats have come lately */
byte done[4];                            /* by a host: whom it has taken off lately */
bit cut[4];                              /* a host that does not hear it has made a list that it lacks */

#define BIT(set, m) (((set) >> (m)) & 1)
#define ONE(m) (1 << (m))
#define COUNT(set) (BIT(set, 0) + BIT(set, 1) + BIT(set, 2) + BIT(set, 3))
#define LIVES(m) (!BIT(dead, m) && !out[m])
#ifdef ANY_MEMBER
#define TAKES_OFF(m) true
#else
#define TAKES_OFF(m) BIT(HOSTS, m)
#endif
/* The others that a host hears, and the members that it may take off. */
#define HERE(h) (heard[h] & list[at[h]] & ~ONE(h))
#define SILENT(h) (list[at[h]] & ~heard[h] & ~HOSTS & ~ONE(h) & ~done[h])
#define LACKING(h) (COUNT(list[at[h]]) - 1 - 2 * COUNT(HERE(h)))
#ifdef ANY_TIME
#define SHORT(h) SILENT(h)
#else
#define SHORT(h) (!BIT(enough, h) && HERE(h) && LACKING(h) == 1)
#endif
#ifdef ONE_WORD
#define CHOSEN(h, k) (BIT(list[at[h]] & ~HOSTS & ~done[h], k) && (k) != (h))
#else
#define CHOSEN(h, k) BIT(SILENT(h), k)
#endif
#define NEWEST(m) (at[m] == last)
#define AFTER(b, a) (at[b] > at[a])
#define ROOM (calm || last < LISTS)

/* Properties. */
bool only_silent = true;  /* only a host that hears nothing signed by a member takes it off */
bool only_needed = true;  /* only a host that too few confirm takes anybody off */
bool one_meeting = true;  /* nobody whom a host has missed speaks on while others speak with the host's newer list */
ltl goes_on { <>[](calm -> good) }  /* once the server is honest, all living members are back in the end, and speak */

inline pick(to) { to = 0; do :: to < 3 -> to++ :: break od }

inline makes(m, who)
{
  last++; list[last] = who; before[last] = at[m];
  at[m] = last; confirmed[m] = 0;
  cut[m] = 0
}

inline misses(x, y)
{
  if
  :: (x) != (y) && !BIT(heard[y], x) && LIVES(x) ->
       cut[x] = 1;
#if !defined(NO_PATIENCE) && !defined(LEASE)
       confirmed[x] = confirmed[x] & ~ONE(y)
#endif
  :: else
  fi
}

inline takes_off(h, k)
{
  only_silent = only_silent && BIT(HOSTS, h) && !BIT(heard[h], k);
  only_needed = only_needed && !BIT(enough, h);
  misses(0, h); misses(1, h); misses(2, h); misses(3, h);
  done[h] = done[h] | ONE(k);
  makes(h, list[at[h]] & ~ONE(k));
  printf("step takes_off host=%d member=%d list=%d\n", h, k, last)
}

/* Member m lets k in again. */
inline lets_in(m, k)
{
  makes(m, list[at[m]] | ONE(k));
  at[k] = last; out[k] = 0; confirmed[k] = 0; cut[k] = 0;
  printf("step lets_in by=%d member=%d list=%d\n", m, k, last)
}

/* The list n that follows its own reaches m. */
inline adopts(m, n)
{
  confirmed[m] = 0; cut[m] = 0;
  if :: BIT(list[n], m) -> at[m] = n :: else -> out[m] = 1 fi;
  printf("step adopts member=%d list=%d\n", m, n)
}

/* All that can hear each other do, and hosts confirm whom they hear. Judge who may speak. */
inline judges()
{
  d_step {
    enough = 0; speaks = 0; a = 0;
    do
    :: a < 4 && LIVES(a) ->
         b = 0; set = 0;
         do :: b < 4 -> set = set | ((b != a && LIVES(b) && at[b] == at[a]) << b); b++ :: else -> break od;
         if
         :: BIT(HOSTS, a) -> confirmed[a] = set & heard[a]
         :: else -> confirmed[a] = confirmed[a] | (set & ~(HOSTS & ~((BIT(heard[0], a)) | (BIT(heard[1], a) << 1))))
         fi;
         b = confirmed[a] & list[at[a]];
#ifdef TWO_HOSTS
         b = b & set;
#endif
         if :: 2 * (1 + COUNT(b)) > COUNT(list[at[a]]) -> enough = enough | ONE(a) :: else fi;
         if :: BIT(enough, a) && ((b | ONE(a)) & HOSTS) -> speaks = speaks | ONE(a) :: else fi;
         a++
    :: a < 4 && !LIVES(a) -> a++
    :: a == 4 -> break
    od;
    a = 0;
    do
    :: a < 4 && cut[a] && BIT(speaks, a) ->
         b = 0;
         do :: b < 4 -> one_meeting = one_meeting && !(BIT(speaks, b) && AFTER(b, a)); b++ :: else -> break od;
         a++
    :: a < 4 && !(cut[a] && BIT(speaks, a)) -> a++
    :: a == 4 -> break
    od;
    a = 0; b = 0; set = 0
  }
  assert(only_silent); assert(only_needed); assert(one_meeting)
}

inline in_round(m)
{
  if
  :: LIVES(m) && at[m] < last -> adopts(m, at[m] + 1)
  :: else
  fi;
  heard[m] = (BIT(HOSTS, m) -> ALL & ~dead & ~(out[0] | (out[1] << 1) | (out[2] << 2) | (out[3] << 3)) : 0);
  confirmed[m] = confirmed[m] & ~dead
}

#ifdef NO_REMOVAL
#define MAY_TAKE_OFF(h, k) false
#else
#define MAY_TAKE_OFF(h, k) (TAKES_OFF(h) && LIVES(h) && NEWEST(h) && SHORT(h) && CHOSEN(h, k) && (h) != (k))
#endif
#ifdef NO_WAY_BACK
#define MAY_LET_IN(m, k) false
#else
#define MAY_LET_IN(m, k) (LIVES(m) && at[m] == last && out[k] && !BIT(dead, k))
#endif
#define WELL(m) (BIT(dead, m) || (LIVES(m) && at[m] == last && BIT(speaks, m)))

active proctype Meeting()
{
  byte m, k;
  list[0] = ALL; heard[0] = ALL;
#ifdef TWO_HOSTS
  heard[1] = ALL;
#endif
#ifdef ANY_MEMBER
  heard[2] = ALL;
#endif
  do
  :: atomic { !calm -> pick(m); pick(k);
       if
       :: TAKES_OFF(m) && k != m && !BIT(dead, k) && BIT(heard[m], k) -> heard[m] = heard[m] & ~ONE(k)
       :: TAKES_OFF(m) && k != m && LIVES(k) && !BIT(heard[m], k) -> heard[m] = heard[m] | ONE(k)
       :: else
       fi;
       judges(); printf("step heartbeats host=%d member=%d\n", m, k); m = 0; k = 0 }
  :: atomic { !calm && ROOM -> pick(m); pick(k);
       if :: MAY_TAKE_OFF(m, k) -> takes_off(m, k) :: else fi;
       judges(); m = 0; k = 0 }
  :: atomic { !calm && ROOM -> pick(m); pick(k);
       if :: MAY_LET_IN(m, k) -> lets_in(m, k) :: else fi;
       judges(); m = 0; k = 0 }
  :: atomic { !calm -> pick(m); k = at[m] + 1;
       do :: k <= last && before[k] != at[m] -> k++ :: else -> break od;
       if :: LIVES(m) && k <= last -> adopts(m, k) :: else fi;
       judges(); m = 0; k = 0 }
  :: atomic { !calm && COUNT(dead) < 2 -> pick(m);
       if
       :: !BIT(dead, m) && (HOSTS & ~dead & ~ONE(m)) ->
            dead = dead | ONE(m); heard[0] = heard[0] & ~ONE(m); heard[1] = heard[1] & ~ONE(m);
            out[m] = 0; cut[m] = 0; confirmed[m] = 0; printf("step dies member=%d\n", m)
       :: else
       fi;
       m = 0 }
  :: atomic { !calm -> calm = true; printf("step calm dead=%d\n", dead) }
  :: atomic { calm ->
       in_round(0); in_round(1); in_round(2); in_round(3);
       judges();
       good = WELL(0) && WELL(1) && WELL(2) && WELL(3);
       do
       :: m < 4 && k < 4 && (MAY_TAKE_OFF(m, k) || MAY_LET_IN(m, k)) -> break
       :: m < 4 && !(MAY_TAKE_OFF(m, k) || MAY_LET_IN(m, k)) -> k++; if :: k == 4 -> k = 0; m++ :: else fi
       :: m == 4 -> break
       od;
       if
       :: m < 4 && MAY_TAKE_OFF(m, k) -> takes_off(m, k)
       :: m < 4 && !MAY_TAKE_OFF(m, k) -> lets_in(m, k)
       :: m == 4 ->
            done[0] = 0; done[1] = 0
       fi;
       m = 0; k = 0; printf("step round last=%d\n", last) }
  od
}
