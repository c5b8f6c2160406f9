/**
 * The 64 signs of the short code, and the one English word that each is read out as.
 *
 * Chosen so that no two look alike at the size of a letter or sound alike over a bad line: no flags, no
 * smileys, no hands, no skin tones, no two of a family (one fruit that is red, one instrument of wood). All
 * are of Unicode 11.0 or older and one code point; two are followed by U+FE0F, which asks for the picture
 * instead of the letter. The order is part of the protocol (docs/protocol.md, section 8): sign i stands for
 * the six bits of i.
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

/** [emoji, word], by number 0 to 63. */
export const EMOJI: readonly (readonly [string, string])[] = [...table.matchAll(/(\S+) (\S+)/g)].map(
  ([, emoji = "", word = ""]) => [emoji, word],
);
