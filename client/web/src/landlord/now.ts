/** What `/now` answers (server/window.py): all that the server's process holds, as it is read from its objects. */

export interface Seat {
  /** Seconds since it came into the room. */
  readonly age: number;
  readonly pass_slot: number | null;
  readonly won: number;
  readonly lost: number;
}

export interface Room {
  readonly number: string;
  readonly slot: number | null;
  readonly chain: string;
  readonly steward_key: string;
  readonly connections: number;
  readonly gates: number;
  readonly handles: readonly string[];
  /** Of each handle, in their order. */
  readonly seats: readonly Seat[];
  readonly commits: readonly { readonly slot: number; readonly bytes: number; readonly age: number }[];
  readonly relays: readonly { readonly relay: number; readonly bytes: number }[];
  readonly waiting_commits: number;
}

export interface Lobby {
  readonly number: string;
  readonly handles: readonly string[];
}

export interface Person {
  readonly handle: string;
  readonly nonce: string;
  readonly address: string;
  readonly headers: Readonly<Record<string, string>> | readonly (readonly [string, string])[];
  readonly media_addresses: readonly string[];
}

export interface Stream {
  readonly handle: string;
  readonly room: string;
  readonly ssrc: number;
  readonly kind: "audio" | "video";
  /** That came since the stream began. */
  readonly packets: number;
  readonly receivers: number;
  /** Of the last packets, in bytes. */
  readonly sizes: readonly number[];
}

export interface Disclosure {
  readonly uptime: number;
  readonly connections: number;
  readonly at_the_door: number;
  readonly addresses: number;
  readonly queued_bytes: number;
  readonly refusals: Readonly<Record<string, number>>;
  readonly rooms: readonly Room[];
  readonly lobbies: readonly Lobby[];
  readonly blobs: number;
  readonly blob_bytes: number;
  readonly sealed_media: { readonly packets: number; readonly bytes: number; readonly ended_streams: number };
  readonly srtp_sessions: number;
  readonly own_keys: readonly string[];
  /** -1: that can't be told there. */
  readonly files_open_for_writing: number;
  readonly people: readonly Person[];
}

export interface Now {
  /** The server's clock, in seconds from no particular time. */
  readonly at: number;
  readonly disclosure: Disclosure;
  /** In English, to be read aloud. */
  readonly spoken: readonly string[];
  readonly streams: readonly Stream[];
}

/** What `/frame` answers: a stream's last whole frame, as RTP packets in hex. */
export interface Relayed {
  readonly ssrc: number;
  readonly packets: readonly string[];
}
