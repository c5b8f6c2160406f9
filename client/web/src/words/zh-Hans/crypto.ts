import type { Words } from "../entry";

export default {
  "link.address": "“{address}”不是服务器地址；应该像 https://meet.example 或 http://127.0.0.1:8080 这样",
  "link.address_long": "服务器地址最多 {most} 个字符",
  "link.none": "这不是 Snug 链接：应该像 https://meet.example/#1... 这样",
  "link.empty": "链接在“#”后面被截断了：请完整复制",
  "link.version": "链接是第“{version}”版，而这个程序只认得第 {known} 版：请更新程序，或要一个新链接",
  "link.missing": "链接被截断了：末尾少了 {bytes} 个字节",
  "link.cut": "链接被截断了：请完整复制",
  "link.stray": "链接里有“{stray}”，Snug 链接不会有这个字符：请重新复制",
  "link.last": "链接的最后一个字符不对：请重新复制",
  "link.servers": "链接里的服务器列表被截断或改动了：请完整复制",
  "link.no_servers": "链接里的服务器列表是空的，没有程序会这样写：链接被改动过",
  "link.many_servers": "一个链接最多列出 {most} 个其他服务器，每个一次",
  "name.size": "名字要有 1 到 {most} 个字节",
  "name.shows": "名字里有看不见的字符，或者开头、结尾有空格",
  "name.around": "名字以附加符号开头，或者里面有冒号、括号或引号",
  "name.nfc": "名字不是 NFC 形式",
  "card.day": "主持人的卡片是第 {day} 天的，而今天是第 {today} 天",
  "card.expired": "主持人的卡片过期了；请再要一张",
  "card.lifetime": "主持人的卡片声称的有效时间超过了卡片所允许的",
} satisfies Words;
