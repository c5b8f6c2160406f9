/**
 * Takes the fragment out of the address: it may be a link. It runs before all other scripts of the page, and needs
 * nothing of the network but itself, so that a server cannot keep the link in the address by answering slowly.
 */
{
  const fragment = location.hash.slice(1);
  if (fragment !== "") {
    history.replaceState(null, "", location.pathname + location.search);
    (globalThis as { snugFragment?: string }).snugFragment = fragment;
  }
}
