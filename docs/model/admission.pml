/* Two-key admission, as sets of knowledge (protocol, sections 4 and 5; no cryptography: a secret is known or not).

   Ada is the host, and Gil an honest newcomer with the link. The adversary is one: the operator, an outsider, Mallory
   (a member that Ada admitted with the link), and everybody that they share with. It has the keys of its own leaves,
   reads all that the server carries, and knows the epochs of which it can compute the secret.

   The secret of epoch n + 1 follows from that of epoch n together with the commit's path secret, which members of
   epoch n that stay can read; or from a Welcome, which takes the private key of the KeyPackage and the link's PSK.
   A commit adds one leaf or several, with one PSK for all of them. Gil has a single-use invite, which may have leaked.

   mutant NO_SNUG_7 breaks hosts_add: a member that is no host adds somebody
   mutant NO_PSK breaks link_opens: the Welcome does not take the link's PSK (SNUG-10)
   mutant NO_PATH breaks evicted_learns_nothing: a commit may come without a path (SNUG-5)
   mutant EACH_ALONE breaks admits_once: the Adds of a commit are compared with the ledger, and not with each other
   mutant RESEND_TO_ALL breaks no_past: a message is sealed anew for members that joined after it was posted
   large EPOCHS=7 */

#ifndef EPOCHS
#define EPOCHS 4
#endif
/* Leaves, by owner: honest ones, and those of the adversary. */
#define ADA 1
#define GIL 2
#define MALLORY 4                        /* the adversary's leaf, which Ada admitted with a good knock */
#define GHOST 8                          /* another KeyPackage of the adversary's, put in the place of somebody's */
#define ADVERSARY (MALLORY | GHOST)

/* Properties. */
bool hosts_add = true;                   /* everybody in the tree was added by a host */
bool link_opens = true;                  /* an adversary that never had the link never learns a secret */
bool evicted_learns_nothing = true;      /* with all its leaves removed, it does not learn the next epoch */
bool no_past = true;                     /* nobody reads a message of before they joined */
bool admits_once = true;                 /* a single-use invite admits one person */

bool has_link;                           /* the adversary has the link: as an invited person, or leaked */
byte epoch;
byte tree[EPOCHS + 1];                   /* leaves, as bits */
bool known[EPOCHS + 1];                  /* the adversary knows this epoch's secret */
byte by_host = ADA;                      /* leaves that a host has added (or that created the group) */
byte posted;                             /* 1 + the epoch in which Ada posted a message that has not come back */
byte readers;                            /* the members then */

byte adds, removes;
byte named;                              /* added leaves whose Adds name Gil's invite */
byte admitted;                           /* leaves that his invite has admitted so far */
bool host_commits, path;

#ifdef EACH_ALONE                        /* SNUG-12 */
#define MAY_ADD (named == 0 || admitted == 0)
#else
#define MAY_ADD (named == 0 || (admitted == 0 && named != (GIL | GHOST)))
#endif

#ifdef RESEND_TO_ALL
#define MAY_RESEND true
#else
#define MAY_RESEND ((tree[epoch] & ~readers) == 0)
#endif

inline commit()
{
  path = true;
#ifdef NO_PATH                           /* SNUG-5 */
  if :: path = true :: path = false fi;
#endif
  epoch++;
  tree[epoch] = (tree[epoch - 1] & ~removes) | adds;
  known[epoch] = known[epoch - 1] && (!path || (tree[epoch - 1] & ~removes & ADVERSARY) != 0);
#ifdef NO_PSK                            /* SNUG-10 */
  if :: (adds & ADVERSARY) != 0 -> known[epoch] = true :: else fi;
#else
  if :: (adds & ADVERSARY) != 0 && has_link -> known[epoch] = true :: else fi;
#endif
  if :: host_commits -> by_host = by_host | adds :: else fi;
  admits_once = admits_once && (named == 0 || (admitted == 0 && named != (GIL | GHOST)));
  admitted = admitted | named;
  printf("step commit epoch=%d by_host=%d adds=%d named=%d removes=%d path=%d known=%d\n", epoch, host_commits, adds,
    named, removes, path, known[epoch]);
  hosts_add = hosts_add && (tree[epoch] & ~by_host) == 0;
  link_opens = link_opens && !(known[epoch] && !has_link);
  evicted_learns_nothing = evicted_learns_nothing && !(known[epoch] && (tree[epoch] & ADVERSARY) == 0);
  assert(hosts_add); assert(link_opens); assert(evicted_learns_nothing); assert(admits_once)
}

inline clear() { adds = 0; named = 0; removes = 0; host_commits = false; path = false }

init
{
  tree[0] = ADA;
  if :: has_link = true :: has_link = false fi;
end:
  do
  :: atomic {                            /* Ada admits one of them, or several with one commit */
       epoch < EPOCHS ->
       if :: (tree[epoch] & GIL) == 0 -> adds = GIL :: true fi;
       if :: (tree[epoch] & MALLORY) == 0 && has_link -> adds = adds | MALLORY :: true fi;
       if :: (tree[epoch] & GHOST) == 0 -> adds = adds | GHOST :: true fi;  /* deceived: it may not have the link */
       if :: named = adds & GIL :: named = adds & GHOST :: named = adds & (GIL | GHOST) :: true fi;
       if :: adds != 0 && MAY_ADD -> host_commits = true; commit() :: else fi;
       clear()
     }
  :: atomic {                            /* Ada removes leaves, or only heals */
       epoch < EPOCHS ->
       if
       :: true
       :: (tree[epoch] & GIL) != 0 -> removes = GIL
       :: (tree[epoch] & MALLORY) != 0 -> removes = MALLORY
       :: (tree[epoch] & GHOST) != 0 -> removes = GHOST
       fi;
       host_commits = true; commit(); clear()
     }
  :: atomic {                            /* a member heals: Gil, or Mallory */
       epoch < EPOCHS && (tree[epoch] & (GIL | ADVERSARY)) != 0 -> commit(); clear()
     }
#ifdef NO_SNUG_7
  :: atomic {                            /* Mallory adds a leaf */
       epoch < EPOCHS && known[epoch] && (tree[epoch] & ADVERSARY) != 0 && (tree[epoch] & GHOST) == 0 ->
       adds = GHOST; commit(); clear()
     }
#endif
  :: atomic {                            /* Ada posts a message: the server withholds its echo */
       posted == 0 -> posted = epoch + 1; readers = tree[epoch];
       printf("step posts epoch=%d readers=%d\n", epoch, readers)
     }
  :: atomic {                            /* she seals it anew, in the epoch that she is in now */
       posted != 0 && posted - 1 < epoch && MAY_RESEND ->
       printf("step resends epoch=%d\n", epoch);
       no_past = no_past && (tree[epoch] & ~readers) == 0;
       assert(no_past); posted = 0; readers = 0
     }
  od
}
