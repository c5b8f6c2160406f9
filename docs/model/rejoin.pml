/* Rejoins with a ticket (SNUG-8; issue 13, invariant 5).

   Bo owns a leaf. Each leaf has a rejoin key, which changes with each commit that the leaf makes itself. A ticket asks
   for one leaf, with a rejoin key of its own. It is good if the rejoin key in the tree has signed it. Bo does not
   always know that key: his own commit may have been taken without his knowledge, and so may a ticket of his. He
   therefore signs each ticket with all keys that the tree may have: his leaf's, that of his commit, and those that his
   tickets ask for. A new stay in the lobby asks for a new key. Earlier tickets are over for him when a commit was taken
   that he sent after them.

   A thief copies all keys that Bo has at one moment. The server holds back, delays and repeats tickets, Welcomes and
   commits, and any member may commit a ticket and keep the Welcome. Every rejoin key has a number. Signature keys are
   not modelled: Bo has one, and the thief has it after the theft.

   mutant NO_KEY breaks old_key: the signature key alone makes a ticket
   mutant NO_EXPIRY breaks no_late_ticket: a ticket may be signed by any rejoin key that the leaf has had
   mutant REUSED_KEY breaks no_late_ticket: a commit has the key of an earlier one, which has signed tickets
   mutant ONE_KEY breaks back_in: Bo signs only with the rejoin key of the leaf that he knows
   mutant NO_NEXT breaks back_in: Bo does not sign with the key of a commit that may have been taken
   mutant FORGOTTEN breaks back_in: Bo does not sign with the keys that tickets of earlier stays ask for
   mutant TOO_EARLY breaks back_in: a commit ends tickets that Bo made after he had sent it
   mutant SAME_REQUEST breaks old_key: all stays ask for the same key
   mutant TOLD_BY_ADA breaks true_cause: Bo reads a rejoin of his leaf as a removal by the member that committed it
   large KEYS=8 TICKETS=3
   large KEYS=7 TICKETS=4 */

#ifndef KEYS
#define KEYS 6
#endif
#ifndef TICKETS
#define TICKETS 3
#endif

/* Properties. */
bool old_key = true;                     /* once a commit of Bo's brought a new key, copied keys admit nobody */
bool no_late_ticket = true;              /* a ticket is over when a commit was taken that Bo sent after it */
bool true_cause = true;                  /* Bo is told what happened to his leaf: his own request, or another's */
bool back_in = true;                     /* unless the thief has his leaf, Bo can make a ticket that is good */

byte keys = 1;                           /* rejoin keys that were made */
byte key = 1;                            /* the one in the tree, at Bo's leaf */
bool thiefs;                             /* the leaf is the thief's */
bool theft;
bool stolen[KEYS + 1];
bool healed;                             /* a commit of Bo's, with a key that was not copied, was taken since */

/* Bo. */
bool inside = true;                      /* he is in step with the members, as far as he knows */
byte mine = 1;                           /* the key of the leaf that he knows */
byte next;                               /* the key of his commit; 0: none */
byte asks;                               /* the key that tickets of this stay ask for; 0: none yet */
byte gone;                               /* his first tickets, of which he knows that they are over */
bool sent;                               /* his commit is out, and he does not know its fate */
byte sent_after;                         /* the key in the tree when he made it */
byte older;                              /* tickets that he had made before he sent it */

/* His tickets. */
byte tickets;
byte by_mine[TICKETS], by_next[TICKETS]; /* keys that signed it, */
byte since[TICKETS];                     /* besides those that the tickets from this one on ask for, up to itself */
byte fresh[TICKETS];                     /* the key that it asks for */
byte over;                               /* tickets that a commit has ended, which he sent after them */

byte t, k;

/* Whether one of the tickets `from` to t asks for key k. */
#define ASKED_AT(i, from, to, k) (i >= from && i <= to && fresh[i] == k)
#if TICKETS == 4
#define ASKED(from, to, k) (ASKED_AT(0, from, to, k) || ASKED_AT(1, from, to, k) || ASKED_AT(2, from, to, k) || \
  ASKED_AT(3, from, to, k))
#else
#define ASKED(from, to, k) (ASKED_AT(0, from, to, k) || ASKED_AT(1, from, to, k) || ASKED_AT(2, from, to, k))
#endif

#ifdef NO_NEXT
#define NEXT 0
#else
#define NEXT next
#endif
#ifdef FORGOTTEN
#define SINCE tickets                    /* only the key that the new ticket asks for */
#else
#define SINCE gone
#endif

#ifdef ONE_KEY
#define SIGNS(k) (k == mine)
#else
#ifdef FORGOTTEN
#define SIGNS(k) (k == mine || k == next || k == asks)
#else
#define SIGNS(k) (k == mine || k == NEXT || (tickets > 0 && ASKED(gone, tickets - 1, k)))
#endif
#endif

#ifdef NO_KEY
#define GOOD(t) true
#define THIEF_ENTERS theft
#else
#define THIEF_ENTERS (theft && stolen[key])
#ifdef NO_EXPIRY
#define GOOD(t) (by_mine[t] <= key)
#else
#ifdef ONE_KEY
#define GOOD(t) (by_mine[t] == key)
#else
#define GOOD(t) (by_mine[t] == key || by_next[t] == key || ASKED(since[t], t, key))
#endif
#endif
#endif

inline pick(to, n) { to = 0; do :: to + 1 < n -> to++ :: break od }

#ifdef SAME_REQUEST
#define END_STAY skip
#else
#define END_STAY asks = 0
#endif

inline entered(with) { inside = true; mine = with; next = 0; sent = false; older = 0; END_STAY }

inline own_commit_taken()
{
#ifdef TOO_EARLY
  gone = tickets;
#else
  gone = older;
#endif
  entered(next)
}

/* Whether a ticket that Bo makes now is good. A new key that he asks for is not in the tree. */
inline look()
{
  back_in = back_in && (inside || thiefs || SIGNS(key));
  assert(old_key); assert(no_late_ticket); assert(true_cause); assert(back_in)
}

init
{
end:
  do
  :: atomic {                            /* Bo sends a commit */
       inside && !thiefs && mine == key && !sent && (next != 0 || keys < KEYS) ->
       if :: next == 0 -> keys++; next = keys :: else fi;
       sent = true; sent_after = key; older = tickets; printf("step sends key=%d\n", next)
     }
  :: atomic {                            /* the server gives it a slot; Bo sees that, or does not */
       sent && sent_after == key && !thiefs ->
       key = next;
       if :: older > over -> over = older :: else fi;
       if :: theft && !stolen[next] -> healed = true :: else fi;
       if
       :: inside -> own_commit_taken()
       :: inside = false
       fi;
       printf("step taken key=%d inside=%d\n", key, inside); look()
     }
  :: atomic {                            /* the slot goes to another commit, or to a void one */
       inside && sent && key == mine ->
       sent = false; older = 0;
       if :: next = 0 :: true fi;
       printf("step not_taken\n")
     }
  :: atomic { inside -> inside = false; printf("step out\n"); look() }
  :: atomic {                            /* he catches up: he sees what became of his commit */
       !inside && !thiefs && (key == mine || (sent && key == next)) ->
       if
       :: key == next && sent -> own_commit_taken()
       :: else -> inside = true; sent = false; END_STAY;
#ifndef REUSED_KEY
          next = 0
#endif
       fi;
       printf("step back\n"); look()
     }
  :: atomic {                            /* he asks to be admitted again */
       !inside && tickets < TICKETS && keys < KEYS ->
       if :: asks == 0 -> keys++; asks = keys :: else fi;
       by_mine[tickets] = mine; by_next[tickets] = NEXT; since[tickets] = SINCE; fresh[tickets] = asks;
       printf("step ticket number=%d mine=%d next=%d fresh=%d\n", tickets, mine, by_next[tickets], asks);
       tickets++; look()
     }
  :: atomic {                            /* a member commits a ticket; Bo gets the Welcome, or does not */
       pick(t, TICKETS); t < tickets && GOOD(t) ->
       no_late_ticket = no_late_ticket && t >= over;
       key = fresh[t]; thiefs = false;
       if
       :: entered(fresh[t])
       :: inside -> inside = false;      /* he reads that it was his own request */
#ifdef TOLD_BY_ADA
          true_cause = false
#endif
       :: !inside -> skip
       fi;
       printf("step rejoin ticket=%d key=%d inside=%d\n", t, key, inside); t = 0; look()
     }
  :: atomic {                            /* the theft */
       !theft -> theft = true; stolen[mine] = true; stolen[next] = true; stolen[asks] = true;
       t = gone; do :: t < tickets -> stolen[fresh[t]] = true; t++ :: else -> break od;
       t = 0; stolen[0] = false;
       printf("step theft\n")
     }
  :: atomic {                            /* the thief rejoins in Bo's place */
       THIEF_ENTERS && keys < KEYS && !thiefs ->
       old_key = old_key && !healed;
       keys++; key = keys; thiefs = true; inside = false;
       printf("step thief key=%d\n", key); look()
     }
  od
}
