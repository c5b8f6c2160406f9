/* Places: a meeting that goes on at other servers (protocol, section 12).

   Members stand at places: rooms at servers, 0 where the meeting began. They make commits for two slots, go on to the
   later place, and hand over what they have adopted to others at their place. Servers are hostile: a commit that was
   made at a place reaches any member there, at any time, and one slot may get two commits at two places, or at one. Nobody is added or removed. A heartbeat counts for ever once it was sent: there is no clock. It
   names the place and the epoch of its author, as real ones do by the incarnation of the room.

   Away from place 0, a member commits only if more than half have said, in its epoch, that they are there, and a member
   with another history rejoins only into one of which more than half have said so.

   Not modelled: how a member finds the others or follows a host (it may go on at any time, for any reason), what a commit does, and the way back to place 0.

   run NO_QUORUM: commits away from place 0 wait for nobody: forks are more frequent, and heal by rejoining
   mutant ANY_EPOCH breaks one_history: heartbeats of any epoch count
   mutant HOST_ALONE breaks one_history: a host's heartbeat alone permits a rejoin
   large N=4 */

#ifndef N
#define N 3                              /* members; member 0 is the host */
#endif
#define P 2                              /* places */
/* Spin wants numbers in select(). */
#if N == 3
#define LAST 2
#define COMMITS 6
#else
#define LAST 3
#define COMMITS 8
#endif

/* Properties. */
bool one_history = true;                 /* at most one history is kept by more than half */

byte place[N];
/* Adopted commits, by member: 1 + place * N + author; 0: none yet. */
byte first[N];
byte second[N];
/* Who has said that it stands at a place, as bits: in the first epoch, and in the one that a commit began. */
byte said[P];
byte said_after[P * (COMMITS + 1)];
/* Commits that were made for the first slot, and for the second after one of the first. */
bit made[COMMITS + 1];
bit made_after[(COMMITS + 1) * (COMMITS + 1)];
/* The commits that more than half have adopted; 0: none yet. */
byte chosen_first;
byte chosen_second;

byte m, k, c, n, who, x;

#define AFTER(q) said_after[place[q] * (COMMITS + 1) + first[q]]

inline count(bits)
{
  n = 0; x = 0;
  do :: x < N -> if :: (bits >> x) & 1 -> n++ :: else fi; x++ :: else -> break od;
  x = 0
}

inline says(q)
{
  if
  :: first[q] == 0 -> said[place[q]] = said[place[q]] | (1 << q)
  :: first[q] != 0 && second[q] == 0 -> AFTER(q) = AFTER(q) | (1 << q)
  :: else
  fi
}

/* Who has been heard at the place and in the epoch of q. */
inline heard(q)
{
#ifdef ANY_EPOCH
  who = said[place[q]]; x = 0;
  do :: x <= COMMITS -> who = who | said_after[place[q] * (COMMITS + 1) + x]; x++ :: else -> break od;
  x = 0
#else
  if :: first[q] == 0 -> who = said[place[q]] :: else -> who = AFTER(q) fi
#endif
}

inline adopted_first(b)
{
  n = 0; x = 0;
  do :: x < N -> if :: first[x] == b -> n++ :: else fi; x++ :: else -> break od;
  x = 0;
  if
  :: 2 * n > N -> one_history = (chosen_first == 0 || chosen_first == b); assert(one_history); chosen_first = b
  :: else
  fi
}

inline adopted_second(a, b)
{
  n = 0; x = 0;
  do :: x < N -> if :: first[x] == a && second[x] == b -> n++ :: else fi; x++ :: else -> break od;
  x = 0;
  if
  :: 2 * n > N -> one_history = (chosen_second == 0 || chosen_second == b); assert(one_history); chosen_second = b
  :: else
  fi
}

init {
  atomic { x = 0; do :: x < N -> said[0] = said[0] | (1 << x); x++ :: else -> break od; x = 0 }
end: do
  :: atomic {                            /* go on to a later place */
       select(m : 0 .. LAST);
       place[m] == 0 ->
         place[m] = 1; says(m); printf("step %d goes on\n", m); m = 0
     }
  :: atomic {                            /* commit */
       select(m : 0 .. LAST);
       second[m] == 0 ->
         heard(m); count(who);
         if
#ifdef NO_QUORUM
         :: true ->
#else
         :: (place[m] == 0 || 2 * n > N) ->
#endif
              c = 1 + place[m] * N + m; printf("step %d commits %d\n", m, c);
              if
              :: first[m] == 0 -> made[c] = 1; first[m] = c; adopted_first(c); says(m)
              :: else -> made_after[first[m] * (COMMITS + 1) + c] = 1; second[m] = c; adopted_second(first[m], c)
              fi
         :: else
         fi;
         who = 0; n = 0; c = 0; m = 0
     }
  :: atomic {                            /* adopt a commit that was made at our place */
       select(m : 0 .. LAST); select(c : 1 .. COMMITS);
       first[m] == 0 && made[c] && (c - 1) / N == place[m] ->
         first[m] = c; adopted_first(c); says(m); printf("step %d adopts %d\n", m, c); c = 0; n = 0; m = 0
     }
  :: atomic {
       select(m : 0 .. LAST); select(c : 1 .. COMMITS);
       first[m] != 0 && second[m] == 0 && made_after[first[m] * (COMMITS + 1) + c] && (c - 1) / N == place[m] ->
         second[m] = c; adopted_second(first[m], c); printf("step %d adopts %d after that\n", m, c); c = 0; n = 0; m = 0
     }
  :: atomic {                            /* what was adopted before is handed over */
       select(m : 0 .. LAST); select(k : 0 .. LAST);
       m != k && place[m] == place[k] && first[m] == 0 && first[k] != 0 ->
         first[m] = first[k]; adopted_first(first[m]); says(m);
         printf("step %d hands %d over to %d\n", k, first[m], m); m = 0; k = 0; n = 0
     }
  :: atomic {
       select(m : 0 .. LAST); select(k : 0 .. LAST);
       m != k && place[m] == place[k] && first[m] == first[k] && first[m] != 0 && second[m] == 0 && second[k] != 0 ->
         second[m] = second[k]; adopted_second(first[m], second[m]);
         printf("step %d hands %d over to %d after that\n", k, second[m], m); m = 0; k = 0; n = 0
     }
  :: atomic {                            /* rejoin into another history */
       select(m : 0 .. LAST); select(k : 0 .. LAST);
       m != k && place[m] == place[k] && place[m] > 0 && first[m] != 0 && first[k] != 0 && first[m] != first[k] ->
         heard(k); count(who);
         if
#ifdef HOST_ALONE
         :: (2 * n > N || (who & 1)) ->
#else
         :: 2 * n > N ->
#endif
              first[m] = first[k]; second[m] = 0; adopted_first(first[m]); says(m);
              printf("step %d rejoins, let in by %d\n", m, k)
         :: else
         fi;
         who = 0; n = 0; m = 0; k = 0
     }
  od
}
