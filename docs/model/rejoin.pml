/* Rejoins with a ticket (SNUG-8; issue 13, invariant 5).

   Bo owns a leaf. Each leaf has a rejoin key: it changes with each commit that the leaf makes itself. A ticket is signed
   by the leaf's signature key and by a rejoin key. A thief copies Bo's keys once. The server holds back, delays and
   repeats tickets, Welcomes and echoes. Mallory, a member, commits any ticket and may keep the Welcome.

   Every rejoin key has a number. Bo's memory: the key of the leaf as he knows it, and the keys that he may have without
   knowing (a commit that was sent, a KeyPackage in a pending knock). The signature key is not modelled: Bo and, after the
   theft, the thief have it.

   mutant NO_KEY breaks old_key: the signature key alone makes a ticket
   mutant NO_EXPIRY breaks no_late_ticket: a ticket may be signed by any rejoin key that the leaf has had
   mutant TREE_ALONE breaks back_in: a ticket has to be signed by the key in the tree, even if a rejoin brought it
   mutant ONE_KEY breaks back_in: Bo signs only with the key that his last adopted commit brought
   mutant TOLD_BY_ADA breaks true_cause: Bo reads a rejoin of his own leaf as a removal by the member that committed it
   large KEYS=8 TICKETS=4 */

#ifndef KEYS
#define KEYS 6
#endif
#ifndef TICKETS
#define TICKETS 3
#endif
#define BO 0
#define THIEF 1

/* Properties. */
bool old_key = true;                     /* after a commit of Bo's own, the keys that the thief copied admit nobody */
bool no_late_ticket = true;              /* a ticket made before Bo confirmed a re-entry does not replace him after it */
bool true_cause = true;                  /* Bo is told what happened to his leaf: his own request, or another's */
bool back_in = true;                     /* Bo, without the thief's act, can prove possession to the members */

/* The members' shared state. */
byte key = 1;                            /* the leaf's rejoin key in the tree */
byte confirmed = 1;                      /* the last one that the leaf brought by a commit of its own */
bit owner = BO;                          /* who has the leaf's private keys */
bool replaced;                           /* the thief has entered once */

byte keys = 1;                           /* keys that were made */
bit maker[KEYS + 1];
bool stolen[KEYS + 1];                   /* the thief has it */
bool theft;                              /* the theft has happened */
bool healed;                             /* Bo has made a commit of his own since */

/* Bo. */
byte mine = 1;                           /* the key of his leaf, as far as he knows */
byte sent;                               /* the key in a commit of his that may have been taken; 0: none */
byte sent_after;                         /* the key in the tree at that commit's epoch */
bool inside = true;                      /* he is in step with the members, as far as he knows */
bool told_other, told_own;

/* Tickets. */
byte tickets;
bit by[TICKETS];                         /* who made it */
byte signed[TICKETS];                    /* the key that signed it */
byte fresh[TICKETS];                     /* the key of the leaf that it asks for */
bool used[TICKETS];
byte commits_before[TICKETS];            /* Bo's own commits after a rejoin, when the ticket was made */
byte confirmations;
bool unconfirmed;                        /* Bo's leaf is there by a rejoin, and he has not committed since */

byte t, k;

inline pick(to, n) { to = 0; do :: to + 1 < n -> to++ :: break od }

#ifdef NO_KEY                            /* before issue 13: the signature key is enough */
#define ACCEPTED(s) true
#else
#ifdef NO_EXPIRY                         /* any key that the leaf ever had */
#define ACCEPTED(s) (s <= keys)
#else
#ifdef TREE_ALONE
#define ACCEPTED(s) (s == key)
#else
#define ACCEPTED(s) (s == key || s == confirmed)
#endif
#endif
#endif

/* A key that Bo may sign with: he tries each of them in turn. */
#ifdef ONE_KEY
#define TRIES(k) (k == mine)
#else
#define TRIES(k) (k == mine || k == sent)
#endif

inline new_key(who) { keys++; maker[keys] = who }

inline make_ticket(who, s)
{
  by[tickets] = who; signed[tickets] = s; fresh[tickets] = keys; commits_before[tickets] = confirmations;
  printf("step ticket number=%d by=%d signed=%d fresh=%d\n", tickets, who, s, keys); tickets++
}

inline clear() { t = 0; k = 0 }

init
{
end:
  do
  :: atomic {                            /* Bo heals: his commit has a new rejoin key */
       inside && owner == BO && mine == key && sent == 0 && keys < KEYS ->
       new_key(BO); sent = keys; sent_after = key; printf("step sends key=%d\n", keys)
     }
  :: atomic {                            /* the server gives it a slot; Bo sees that, or does not */
       sent != 0 && sent_after == key && owner == BO ->
       key = sent; confirmed = sent;
       if :: theft && !stolen[sent] -> healed = true :: else fi;
       if :: unconfirmed -> unconfirmed = false; confirmations++ :: else fi;
       if
       :: mine = sent; sent = 0
       :: inside = false
       fi;
       printf("step taken key=%d inside=%d\n", key, inside)
     }
  :: atomic {                            /* Bo is out of step, whatever the reason */
       inside -> inside = false; printf("step out\n")
     }
  :: atomic {                            /* he catches up: nothing about his leaf has changed */
       !inside && mine == key && owner == BO -> inside = true; printf("step back\n")
     }
  :: atomic {                            /* Bo asks to be admitted again */
       !inside && tickets < TICKETS && keys < KEYS ->
       pick(k, KEYS + 1); TRIES(k) && k != 0 ->
       new_key(BO); make_ticket(BO, k); clear()
     }
  :: atomic {                            /* the theft: all keys that Bo has now */
       !theft -> theft = true; stolen[mine] = true; if :: sent != 0 -> stolen[sent] = true :: else fi;
       k = 0; do :: k < tickets -> stolen[fresh[k]] = true; k++ :: else -> break od;
       printf("step theft\n"); clear()
     }
  :: atomic {                            /* the thief makes a ticket */
       theft && tickets < TICKETS && keys < KEYS -> pick(k, KEYS + 1); k != 0 && stolen[k] ->
       new_key(THIEF); make_ticket(THIEF, k); clear()
     }
  :: atomic {                            /* a member commits a ticket: all members check it */
       pick(t, TICKETS); t < tickets && !used[t] && ACCEPTED(signed[t]) ->
       used[t] = true; key = fresh[t];
       old_key = old_key && !(by[t] == THIEF && healed);
       no_late_ticket = no_late_ticket && !(by[t] == BO && commits_before[t] < confirmations);
       owner = by[t];
       if
       :: by[t] == THIEF -> replaced = true
       :: by[t] == BO -> unconfirmed = true
       fi;
       if                                /* Bo hears of it, or not */
       :: by[t] == BO -> inside = true; mine = fresh[t]; sent = 0
#ifdef TOLD_BY_ADA                       /* before issue 13: "You were removed by Ada" */
       :: inside -> inside = false; told_other = true; true_cause = true_cause && by[t] == THIEF
#else
       :: inside && by[t] == THIEF -> inside = false; told_other = true
       :: inside && by[t] == BO -> inside = false; told_own = true
#endif
       :: inside = false
       fi;
       printf("step rejoin ticket=%d by=%d inside=%d\n", t, by[t], inside);
       assert(old_key); assert(no_late_ticket); assert(true_cause); clear()
     }
  :: atomic {                            /* whether any signature that Bo can make is accepted */
       !inside && !replaced ->
       k = 1;
       do
       :: k <= keys && !(TRIES(k) && ACCEPTED(k)) -> k++
       :: k <= keys && TRIES(k) && ACCEPTED(k) -> break
       :: k > keys -> back_in = false; break
       od;
       printf("step locked_out key=%d confirmed=%d mine=%d sent=%d\n", key, confirmed, mine, sent);
       assert(back_in); clear()
     }
  od
}
