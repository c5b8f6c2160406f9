/* Newcomer: the way to a meeting at one of two servers (protocol, sections 4 and 12; decision 96; P6 of issue 13).

   A newcomer is in the lobby of one server after the other. It asks for a card, with a nonce of its own on this
   connection; a card that signs that nonce makes it stay once and knock. Replies to a knock make it stay for 60 s after
   the knock was made; then it knocks anew. Without an answer it goes on to the other server.

   The meeting is at one server, which is honest from some time on. The other one has been hostile, and stays so: it has
   kept cards and replies of the time when the host was there, and repeats each as often as it likes. It cannot sign.
   The newcomer's turns are weakly fair.

   In the code: `GuestLobby._card`, `_may_knock`, `_is_worn`, `_replied`, and `LobbyConnections.seek`. Not modelled:
   a person who does not answer, links with one server, how long a server is tried.

   mutant REPLAYED breaks gets_in: a card holds a newcomer whatever nonce it signs
   mutant ANY_REPLY breaks gets_in: replies hold a newcomer however old its knock is
   mutant STAYS breaks gets_in: a newcomer does not go on to the other server */

#define TURNS 3                          /* for which replies to one knock hold: 60 s */

bool calm;                               /* the meeting stays where it is from now on, at an honest server */
bit meeting;                             /* its server */
bit at;                                  /* the newcomer's */
bool asked;                              /* the host has heard the nonce of this connection */
bool knocked;                            /* and the knock */
byte age;                                /* of the knock, in turns */
bool in;                                 /* the host has let the newcomer in */
bool answered;                           /* since the last turn, by what counts as an answer */

/* Properties. */
ltl gets_in { <>[](calm -> in) }         /* once the meeting's server is honest, the newcomer gets in */

inline takes_card(fresh)
{
#ifdef REPLAYED
  answered = true;
#else
  if :: fresh -> answered = true :: else fi;
#endif
  if :: fresh -> knocked = true; age = 0; asked = false :: else fi
}

inline takes_reply()
{
#ifdef ANY_REPLY
  answered = true
#else
  if :: age < TURNS -> answered = true :: else -> knocked = false fi
#endif
}

active proctype Adversary()
{
  do
  :: atomic { !calm && !in -> meeting = 1 - meeting; printf("step meeting server=%d\n", meeting) }
  :: atomic { !calm -> calm = true; printf("step calm\n") }
  /* What the host once answered at this server; a card for our nonce counts once. */
  :: atomic { !in && (!calm || at != meeting) -> takes_card(false); printf("step replay\n") }
  :: atomic { !in && !calm && at == meeting && !asked -> asked = true }
  :: atomic { !in && (!calm || at != meeting) && asked -> takes_card(true); printf("step card\n") }
  :: atomic { !in && (!calm || at != meeting) && knocked -> takes_reply(); printf("step reply\n") }
  od
}

/* A turn: what the host answers, if it is there; else whether to stay. */
active proctype Newcomer()
{
  do
  :: atomic { !in && at == meeting && calm -> in = true; printf("step in\n") }
  :: atomic { !in && at != meeting ->
       if :: knocked && age < TURNS -> age++ :: else fi;
       if
       :: answered -> answered = false
#ifdef STAYS
       :: else
#else
       :: else -> at = 1 - at; asked = false; knocked = false; age = 0
#endif
       fi;
       printf("step turn at=%d\n", at)
     }
  od
}
