import type { Words } from "../entry";

export default {
  "link.address": "「{address}」不是伺服器位址；應該像 https://meet.example 或 http://127.0.0.1:8080 這樣",
  "link.address_long": "伺服器位址最多 {most} 個字元",
  "link.none": "這不是 Snug 連結：應該像 https://meet.example/#1... 這樣",
  "link.empty": "連結在「#」後面被截斷了：請完整複製",
  "link.version": "連結是第「{version}」版，而這個程式只認得第 {known} 版：請更新程式，或要一個新連結",
  "link.missing": "連結被截斷了：結尾少了 {bytes} 個位元組",
  "link.cut": "連結被截斷了：請完整複製",
  "link.stray": "連結裡有「{stray}」，Snug 連結不會有這個字元：請重新複製",
  "link.last": "連結的最後一個字元不對：請重新複製",
  "link.servers": "連結裡的伺服器清單被截斷或改動了：請完整複製",
  "link.no_servers": "連結裡的伺服器清單是空的，沒有程式會這樣寫：連結被改動過",
  "link.many_servers": "一個連結最多列出 {most} 個其他伺服器，每個一次",
  "name.size": "名字要有 1 到 {most} 個位元組",
  "name.shows": "名字裡有看不見的字元，或者開頭、結尾有空格",
  "name.around": "名字以附加符號開頭，或者裡面有冒號、括號或引號",
  "name.nfc": "名字不是 NFC 形式",
  "card.day": "主持人的卡片是第 {day} 天的，而今天是第 {today} 天",
  "card.expired": "主持人的卡片過期了；請再要一張",
  "card.lifetime": "主持人的卡片聲稱的有效時間超過了卡片所允許的",
} satisfies Words;
