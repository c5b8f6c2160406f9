import type { Words } from "../entry";

export default {
  "note.came": "{name}進來了。",
  "note.came_by": "{name}進來了，由{by}放行。",
  "note.came_by_open": "{name}用公開邀請進來了，由{by}放行。",
  "note.came_by_label": "{name}用給「{label}」的邀請進來了，由{by}放行。",
  "note.back": "{name}回來了。",
  "note.left": "{name}離開了。",
  "note.removed": "{by}請出了{name}。從現在起{name}什麼都看不到也聽不到。",
  "note.records": "{name}正在錄製。",
  "note.records_no_more": "{name}停止錄製了。",
  "note.shows": "{name}分享了螢幕。",
  "note.copied": "已複製。",
  "note.not_copied": "瀏覽器不允許複製。請選取後手動複製。",
  "note.saved": "已在你的下載資料夾裡，別人都沒有。",
  "note.vouched": "{name}向你表明了身分。數字是：{digits}",
  "note.other_server": "這個連結通往另一個伺服器。網頁只在自己的伺服器上開會：請直接開啟 {origin}，或執行 `snug page`。",
  "note.in_meeting": "你正在這裡開會。請先離開，再開啟連結。",
  "note.no_server": "這裡沒有可以開房間的伺服器。請用 --server 啟動 `snug page`，或使用連結。",
  "note.picture_too_large": "這張圖超過 128 KiB，會以檔案傳送。",
  "note.unreadable": "無法讀取{name}。",
} satisfies Words;
