/** The answer of `/now` (server/disclosure/window.py): the state that the server's process holds, read from its objects. */

export interface Seat {
  /** Seconds since the member joined the room. */
  readonly age: number;
  readonly pass_slot: number | null;
  readonly won: number;
  readonly lost: number;
}

export interface Room {
  readonly number: string;
  readonly slot: number | null;
  readonly chain: string;
  readonly room_admin_key: string;
  readonly connections: number;
  readonly gates: number;
  readonly handles: readonly string[];
  /** The seat of each handle, in the same order. */
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
  /** Packets received since the stream began. */
  readonly packets: number;
  readonly receivers: number;
  /** Sizes of the last packets, in bytes. */
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
  readonly permission: {
    readonly policy: "anyone" | "password" | "tokens";
    readonly vouchers_exchanged: number;
    readonly tokens_spent: number;
  };
  /** -1: unknown on that system. */
  readonly files_open_for_writing: number;
  readonly people: readonly Person[];
}

export interface Now {
  /** The server's monotonic clock, in seconds. */
  readonly at: number;
  readonly disclosure: Disclosure;
  /** In English, to be read aloud. */
  readonly sentences: readonly string[];
  readonly streams: readonly Stream[];
  /** Acts of a hostile server; null: it is an honest one. */
  readonly hostile: Hostile | null;
}

/** The acts that an order can begin, and those in play, with the seconds that are left (null: until an order). */
export interface Hostile {
  readonly acts: readonly string[];
  readonly playing: Readonly<Record<string, number | null>>;
  /** Numbers of members in the order of their arrival, by handle. */
  readonly numbers: Readonly<Record<string, number>>;
}

/** The answer of `/frame`: the last complete frame of a stream, as RTP packets in hex. */
export interface Relayed {
  readonly ssrc: number;
  readonly packets: readonly string[];
}
