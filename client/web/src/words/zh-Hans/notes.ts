import type { Words } from "../entry";

export default {
  "note.came": "{name}进来了。",
  "note.came_by": "{name}进来了，由{by}放行。",
  "note.came_by_open": "{name}用公开邀请进来了，由{by}放行。",
  "note.came_by_label": "{name}用给“{label}”的邀请进来了，由{by}放行。",
  "note.back": "{name}回来了。",
  "note.left": "{name}离开了。",
  "note.removed": "{by}请出了{name}。从现在起{name}什么都看不到也听不到。",
  "note.records": "{name}正在录制。",
  "note.records_no_more": "{name}停止录制了。",
  "note.shows": "{name}共享了屏幕。",
  "note.copied": "已复制。",
  "note.not_copied": "浏览器不允许复制。请选中后手动复制。",
  "note.saved": "已在你的下载文件夹里，别人都没有。",
  "note.vouched": "{name}向你表明了身份。数字是：{digits}",
  "note.other_server": "这个链接通往另一个服务器。网页只在自己的服务器上开会：请直接打开 {origin}，或运行 `snug page`。",
  "note.in_meeting": "你正在这里开会。请先离开，再打开链接。",
  "note.no_server": "这里没有可以开房间的服务器。请用 --server 启动 `snug page`，或使用链接。",
  "note.picture_too_large": "这张图超过 128 KiB，会以文件发送。",
  "note.unreadable": "无法读取{name}。",
} satisfies Words;
