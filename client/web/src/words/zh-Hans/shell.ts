import type { Words } from "../entry";

export default {
  "shell.no_answer": "它没有回应",
  "shell.nobody_there": "那里没有人在听",
  "shell.ended": "连接结束了",
  "shell.alien": "服务器发来了不属于这个协议的东西",
  "shell.network_changed": "网络换了",
  "shell.cannot_connect": "{origin} 的服务器没有回应。",
  "shell.media_no_answer":
    "{addresses} 的 {port} 端口，UDP 和 TCP 都没有回应：中间有东西把两者都挡住了",
  "shell.media_no_answer_udp":
    "{addresses} 的 {port} 端口，UDP 没有回应：中间有东西挡住了 UDP",
  "shell.media_no_answer_inside":
    "音视频服务器在 {address} 没有回应，这个地址只在本机之内。Firefox 连不到这种地址：请改用 Chromium，或在服务器上设置 media_address",
  "shell.media_gone": "音视频服务器不再回应",
  "shell.media_refused": "这个浏览器没有照该做的做（{why}）",
  "shell.sizes_vary":
    "你的许多声音没有发出：这个浏览器产生的数据包无法调成同一大小，而大小会泄露谁在说话。",
  "shell.broken": "发生了不该发生的事（{why}）。不再发送或显示任何内容：请离开，再重新进来。",
  "alarm.version": "服务器使用协议第 {theirs} 版，这个程序使用第 {ours} 版。",
  "alarm.media_lost": "音视频连接断了（{why}）。正在重试……",
  "alarm.media_unreachable": "没有音视频连接：{why}。正在重试……",
  "alarm.media_failed": "停止发送：{why}",
  "tree.now": "现在是这样。",
  "tree.added": "{names}进来了。",
  "tree.removed": "{names}离开了。",
  "tree.rejoined": "{names}重新跟上了。",
  "tree.healed": "换了新的密钥，没有新的人。",
  "media.sound_blocked": "浏览器要先点一下才会播放声音：请点任何地方。",
  "media.no_share": "浏览器无法共享屏幕（{why}）。",
  "media.no_pip": "浏览器无法把画面放在独立窗口。",
  "media.no_recording": "浏览器无法录制。",
} satisfies Words;
