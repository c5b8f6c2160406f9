/**
 * The 64 emoji of the short code, each with the one English word to read aloud.
 *
 * No two look alike at the size of a letter or sound alike on a bad connection. The set excludes flags,
 * smileys, hands, skin tones and pairs from one family: it has one red fruit and one wooden instrument. Every
 * emoji is a single code point from Unicode 11.0 or older; U+FE0F follows two of them, to select the emoji
 * form over the text form. The order is part of the protocol (docs/reference/protocol.md, section 8): emoji i
 * encodes the six bits of i.
 */

const table =
  "🐶 dog 🦁 lion 🦒 giraffe 🐨 koala 🐴 horse 🐘 elephant 🐫 camel 🐧 penguin " +
  "🦚 peacock 🐢 turtle 🐬 dolphin 🐙 octopus 🦋 butterfly 🦉 owl 🦞 lobster 🐍 snake " +
  "🌵 cactus 🌲 tree 🍄 mushroom 🌷 tulip 🍀 clover 🌈 rainbow ⭐ star ☀️ sun " +
  "🔥 fire ⛄ snowman ⚡ lightning ☔ umbrella 🌋 volcano ⛺ tent 🍎 apple 🍌 banana " +
  "🍇 grapes 🌽 corn 🥑 avocado 🥕 carrot 🍕 pizza 🍩 donut 🥨 pretzel 🍯 honey " +
  "🍞 bread 🧩 puzzle 🔔 bell 🎩 hat 👟 shoe 👓 glasses ⚽ football 🎺 trumpet " +
  "🎻 violin 📖 book 🧲 magnet ✂️ scissors 💎 diamond ⏰ clock 🔭 telescope 💡 lamp " +
  "🎁 gift 🎈 balloon ⚓ anchor 🚲 bicycle 🚂 train 🚀 rocket 🚁 helicopter 🚜 tractor";

/** [emoji, word], indexed by number 0 to 63. */
export const EMOJI: readonly (readonly [string, string])[] = [...table.matchAll(/(\S+) (\S+)/g)].map(
  ([, emoji = "", word = ""]) => [emoji, word],
);
