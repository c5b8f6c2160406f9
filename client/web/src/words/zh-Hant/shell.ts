import type { Words } from "../entry";

export default {
  "shell.no_answer": "它沒有回應",
  "shell.nobody_there": "那裡沒有人在聽",
  "shell.ended": "連線結束了",
  "shell.alien": "伺服器送來了不屬於這個協定的東西",
  "shell.network_changed": "網路換了",
  "shell.cannot_connect": "{origin} 的伺服器沒有回應。",
  "shell.media_no_answer":
    "{addresses} 的 {port} 連接埠，UDP 和 TCP 都沒有回應：中間有東西把兩者都擋住了",
  "shell.media_no_answer_udp":
    "{addresses} 的 {port} 連接埠，UDP 沒有回應：中間有東西擋住了 UDP",
  "shell.media_no_answer_inside":
    "影音伺服器在 {address} 沒有回應，這個位址只在本機之內。Firefox 連不到這種位址：請改用 Chromium，或在伺服器上設定 media_address",
  "shell.media_gone": "影音伺服器不再回應",
  "shell.media_refused": "這個瀏覽器沒有照該做的做（{why}）",
  "shell.sizes_vary":
    "你的許多聲音沒有送出：這個瀏覽器產生的封包無法調成同一大小，而大小會洩漏誰在說話。",
  "shell.broken": "發生了不該發生的事（{why}）。不再送出或顯示任何內容：請離開，再重新進來。",
  "alarm.version": "伺服器使用協定第 {theirs} 版，這個程式使用第 {ours} 版。",
  "alarm.media_lost": "影音連線斷了（{why}）。正在重試……",
  "alarm.media_unreachable": "沒有影音連線：{why}。正在重試……",
  "alarm.media_failed": "停止傳送：{why}",
  "tree.now": "現在是這樣。",
  "tree.added": "{names}進來了。",
  "tree.removed": "{names}離開了。",
  "tree.rejoined": "{names}重新跟上了。",
  "tree.healed": "換了新的金鑰，沒有新的人。",
  "media.sound_blocked": "瀏覽器要先點一下才會播放聲音：請點任何地方。",
  "media.no_share": "瀏覽器無法分享螢幕（{why}）。",
  "media.no_pip": "瀏覽器無法把畫面放在獨立視窗。",
  "media.no_recording": "瀏覽器無法錄影。",
} satisfies Words;
