import type { Texts, Words } from "../entry";

const leaked = (a: Texts, what: string, todo: string): string =>
  `${a.invite}被用了两次：它泄露了。${what}。它不再有效。${todo}`;

const differs = (a: Texts, than: string): string =>
  `${a.names}用的页面和${than}的不同：这里 ${a.of} 人中有 ${a.most} 人用同一个页面。提供那个页面的人可能改过它，` +
  "也可能改过它显示或发送的内容。请问清楚那是什么页面；snug verify-page 会比对服务器提供的和正式发布的是否相同。";

/** Where English names a command of the terminal, this names what the page has instead. */
export default {
  // what can't be done
  "cant.another_code": "刚刚出现了另一组码：请再看一次",
  "cant.book_full": "通讯录最多存 {most} 位联系人",
  "cant.compare_many": "四张图最多供 {most} 人比对：请比对 40 个数字",
  "cant.contact_name": "新的联系人需要名字",
  "cant.digits_few": "哪些数字？请至少输入码的前 {least} 个数字",
  "cant.digits_new": "刚刚有人进来，数字已经变了：请输入你们比对过的那组的前 {least} 个数字",
  "cant.digits_none": "最近的码都不是以这些数字开头",
  "cant.digits_two": "最近有两组码以这些数字开头：请多输入几个",
  "cant.file_name": "这不能当作给别人的文件名",
  "cant.file_size": "文件要有 1 到 {most:n} 字节，这个有 {size:n}",
  "cant.files_many": "已有 {most} 个文件在发送中：请等一个传完",
  "cant.in_book": "这把密钥已在通讯录里：{petname}",
  "cant.invite_over": "邀请 {index} 不再有效",
  "cant.invite_unknown": "这里没有邀请 {index}：请看邀请列表",
  "cant.invites": "一位主持人在一场会议里最多创建 {most} 个邀请",
  "cant.invites_all": "这场会议的邀请几乎用完了：请另开一场会议",
  "cant.known_as": "你已把别人叫作{petname}：请换个名字",
  "cant.label": "标签最多 {most} 字节，不能有控制字符",
  "cant.leaf_taken": "位置 {leaf} 刚刚换成了{name}，原本是{before}：如果你指的是现在这位，请再说一次",
  "cant.no_book": "这里没有通讯录",
  "cant.no_code_yet": "还没有码可以比对：请先按“大声比对”",
  "cant.no_contact": "没有叫“{what}”的联系人",
  "cant.no_evidence": "还没有东西可以出示：你还没进过房间",
  "cant.no_identity": "{name}没有向你出示身份：没有密钥可以记住",
  "cant.no_key": "这不是指纹（{digits} 个数字），也不是公钥（64 个十六进制数字）",
  "cant.nobody_else": "位置 {leaf} 上没有别人",
  "cant.nobody_to_compare": "这里没有人可以和你比对",
  "cant.nobody_waits": "没有人用编号 {number} 在等",
  "cant.not_inside": "你还没进房间",
  "cant.not_paused": "声音和画面没有暂停",
  "cant.own_key": "这是你自己的密钥",
  "cant.petname": "这不能当作联系人的名字：{why}",
  "cant.react_away": "服务器连不上：不会有人看到",
  "cant.react_soon": "一次一个：请稍后再试",
  "cant.report_count": "一份举报包含 1 到 {most} 条消息，每条一次",
  "cant.report_no_admission": "{name}没有出示主持人的放行签名，所以什么都无法证明",
  "cant.report_off": "这场会议不保留供举报用的签名：主持人没有要求",
  "cant.report_proves_nothing": "举报它证明不了什么：{why}",
  "cant.report_unknown": "别人最近写的 {most} 条消息里没有“{name}”",

  // invites, names and contacts
  "invite.label": "给“{label}”的邀请（第 {index} 号）",
  "invite.number": "邀请 {index}",
  "invite.open": "公开邀请",
  "invite.other": "另一位主持人创建的邀请（第 {index} 号）",
  "look.alike.no_key": "这个名字看起来像你的联系人{petname}，却没有{petname}的密钥：可能是别人。",
  "look.alike.other_key": "这个名字看起来像你的联系人{petname}，密钥却和{petname}的不同：可能是别人。",
  "look.alike_waits": "这个名字看起来像{name}，{name}也在等（第 {knock} 号）。",
  "look.here.no_key": "这里有人和你的联系人{petname}同名，却没有{petname}的密钥：可能是别人。",
  "look.here.other_key": "这里有人和你的联系人{petname}同名，密钥却和{petname}的不同：可能是别人。",
  "look.knocks.no_key": "敲门的人和你的联系人{petname}同名，却没有{petname}的密钥：可能是别人。",
  "look.knocks.other_key": "敲门的人和你的联系人{petname}同名，密钥却和{petname}的不同：可能是别人。",
  "look.known_as": "你认得这把密钥，是{petname}。",
  "look.same_waits": "还有一个在等的人（第 {knock} 号）也叫{name}。",
  "refusal.full": "进过这场会议的人太多，无法再把全部经过告诉新的人。",
  "refusal.locked": "房间上锁了：现在不让新的人进来。",
  "refusal.no": "主持人没有让你进去。",
  "refusal.not_added": "没能让你进去：{why}。请换个名字再敲门，或问问主持人。",
  "refusal.not_added.yet": "没能让你进去：{why}。",
  "refusal.not_by_host": "这个回复不是来自链接所指会议的主持人。",
  "refusal.over": "这个邀请已经用过或收回。请再要一个。",
  "refusal.unusable": "主持人的回复无法使用：{why}",

  // codes
  "compared.different": "你说码不一样。请离开，另开一个房间重新碰面。",
  "compared.same": "你们比对码之后，没有人进来或离开。",
  "compared.since": "你们比对码之后：{changes}。",
  "compared.since.new": "你们比对码之后：{changes}。{names}不在你们比对过的范围里：请再比对一次。",
  "compared.since.news": "你们比对码之后：{changes}。{names}不在你们比对过的范围里：请再比对一次。",
  "since.and": "{before}；{next}",
  "since.came": "{name}进来了（由{by}放行）",
  "since.came_by": "{name}进来了（由{by}放行，{invite}）",
  "since.came_meanwhile": "{name}在你掉队时进来了",
  "since.left": "{name}离开了",
  "since.policy": ({ text = "" }) => text.replace(/[。.]$/, ""),
  "since.removed": "{name}被{by}请出去了",
  "since.went_meanwhile": "{name}在你掉队时离开了",
  "nocode.anew": "你的程序这段时间重新进来过",
  "nocode.anew_out": "你的程序中途重新进来",
  "nocode.broke": "你自己的连接断了",
  "nocode.changed": "这段时间有人进来、离开或换了密钥",
  "nocode.keys_out": "{who}中途换了会议的密钥",
  "nocode.not_passed": "服务器没有转发",
  "nocode.nothing": "{seconds} 秒内什么都没收到",
  "nocode.nothing_from": "{names}什么都没送来",
  "nocode.this_participant": "你自己的程序",
  "nocode.unreachable": "连不上服务器",

  // sound, pictures and files
  "file.sender_gone": "还没传完，发送的人就离开了。",
  "file.stopped": "传到一半停了。请对方再传一次。",
  "file.too_many": "同时传来的文件太多：请对方再传一次。",
  "file.wrong": "收到的和发送的不一样：有几段是假的。请对方再传一次。",
  "signing.away": "声音和画面要等服务器恢复。",
  "signing.out_of_step": "声音和画面暂停：我们掉队了，最近发送的内容无法签名。",
  "stream.own.pictures": "你的画面",
  "stream.own.screen": "你的屏幕",
  "stream.own.screen_sound": "你屏幕的声音",
  "stream.own.sound": "你的声音",
  "stream.pictures": "{whose}的画面",
  "stream.screen": "{whose}的屏幕",
  "stream.screen_sound": "{whose}屏幕的声音",
  "stream.sound": "{whose}的声音",
  "watch.paused_stale": "声音和画面暂停了：最近确认谁在房间里的人太少。",
  "watch.paused_withheld": "声音和画面暂停了：会议已有新的变动，却没有传到这里。",
  "watch.server_itself": "服务器自己",
  "watch.you": "你",

  // the end
  "dropped.forgotten": "服务器已不记得这场会议。可能大家在我们离线时都离开了，也可能是服务器结束了它。",
  "dropped.gave_up": "{what}我们不再尝试回去。",
  "dropped.proof": "“保存证据”可以留下能证明的部分。",
  "dropped.refuses":
    "服务器把我们踢出去了；不是房间里任何人做的。它有响应，但也不开新的房间：可能谁都拒绝。",
  "dropped.restarted": "服务器把我们踢出去了；不是房间里任何人做的。它重新启动过，不让这场会议回去。",
  "dropped.saved": "证据在 {file}。",
  "dropped.serves": "服务器把我们踢出去了；不是房间里任何人做的。它还在为别人服务，并为此签了名。",

  "alarm.code_aborted":
    "没有码，因为{names}在别人都亮出自己那一份之后，没有亮出自己的：{why}。一次可能是意外；如果再发生，就是有人在试码，可能和服务器联手，也可能没有。请再比对一次。",
  "alarm.code_cheat":
    "生成码的时候，{name}的程序先做了承诺，{name}却没有遵守。只有想自己挑码的人才用得着这样。没有码；请和其他人商量是否请{name}出去。",
  "alarm.code_different":
    "码不一样：你和比对的人不在同一个房间，可能有人夹在你们中间。请离开，别在这里再说什么，用别的方式约好，到另一个房间重新碰面。",
  "alarm.code_fork":
    "生成码的时候，{name}收到的和你不同，或者{name}这么说：可能服务器说了两套话，也可能{name}在说谎。没有码。请用电话比对 40 个数字。",
  "alarm.double_beat":
    "{who}为同一个时刻签了两种不同的说法：那个程序对你们其中一些人说谎，或者有两个程序用同一把密钥。",
  "alarm.double_beat.host":
    "{who}为同一个时刻签了两种不同的说法：那个程序对你们其中一些人说谎，或者有两个程序用同一把密钥。你可以把{who}请出房间。",
  "alarm.dropped": "{what}{proof}正在设法回去；请先用电话约好万一不行要去哪里。",
  "alarm.dropped.often":
    "一分钟内，和这场会议的连接断了 {count} 次，每次服务器又让我们进去。不是房间里任何人做的：是服务器，或是通往它的网络。",
  "alarm.forged_media":
    "有人冒用{name}的名义发送声音或画面。只有会议里的人在服务器协助下才做得到。你刚才听到和看到的{name}可能是假的；从现在起只播放{name}签过名的内容。",
  "alarm.gone":
    "{who}已经 {seconds} 秒没有动静，却还握有会议的密钥。你可以把{who}请出房间；之后可以再敲门。",
  "alarm.invite_leaked.both_wait": (a) =>
    leaked(a, `“${a.earlier}”和“${a.name}”都用它敲门，而它最多只给其中一位`, "请另建一个邀请，用别的方式交给对方。"),
  "alarm.invite_leaked.came_in": (a) =>
    leaked(
      a,
      `${a.earlier}用它进来了，现在又有人自称“${a.name}”用它敲门`,
      `请问${a.earlier}一件只有本人才知道的事，或把${a.earlier}请出去。`,
    ),
  "alarm.invite_leaked.somebody_in": (a) =>
    leaked(
      a,
      `有人用它进来了，现在又有人自称“${a.name}”用它敲门`,
      "请问进来的那位一件只有本人才知道的事，或把那位请出去。",
    ),
  "alarm.not_admitted": "没能让{name}进来：{why}",
  "alarm.not_reaching":
    "据{whom}说，这些发送了却没有到：{streams}。聊天还能用；如果一直这样，请换个网络或服务器。",
  "alarm.not_reaching.blamed":
    "发送了，却没有到{whom}那里：{streams}。是服务器丢掉的，或是通往服务器的网络。聊天还能用；如果一直这样，请换个网络或服务器。",
  "alarm.page_differs": (a) => differs(a, "你"),
  "alarm.page_differs.others": (a) => differs(a, "其他人"),
  "alarm.refused.lobby": "服务器在门口拒绝了某件事：{why}。",
  "alarm.rejoining": "你掉队了，程序正在请求重新进来。",
  "alarm.removed_knocks":
    "有人自称“{name}”，用{invite}敲门。{removed}当初就是用它进来的，后来被请出去了。可能是同一个人，也可能是拿到链接的别人。它不再有效；你还想让谁进来，就要给一个新的邀请。",
  "alarm.reordered":
    "服务器给{who}的消息和给你的不同，或顺序不同。别以为你读到了所有说过的话，也别相信顺序。",
  "alarm.reordered.held_back": "服务器给了{who}一些消息，却没有给你。别以为你读到了所有说过的话。",
  "alarm.reordered.renumbered":
    "服务器用同一个编号给了你两条不同的消息。别以为你读到了所有说过的话，也别相信顺序。",
  "alarm.silent": "已经 {seconds} 秒没有收到{who}的任何东西。可能是连接断了，或是服务器不让你收到。",
  "alarm.stale":
    "{who}最近没有确认谁在房间里。可能有人被请出去了，你却没有收到，所以声音和画面暂停了。按“仍然发送”可以照样发送。",
  "alarm.stale.no_host":
    "听不到任何主持人；{who}最近没有确认谁在房间里。可能有人被请出去了，你却没有收到，所以声音和画面暂停了。按“仍然发送”可以照样发送。",
  "alarm.unheard.everybody":
    "其他人收不到你：你的程序签了名的东西没有到那里。可能是服务器扣下了。你说的话可能没人听到；请用别的方式确认。",
  "alarm.unheard.many":
    "{who}收不到你：你的程序签了名的东西没有到那里。可能是服务器扣下了。你说的话他们可能听不到；请用别的方式确认。",
  "alarm.unheard.one":
    "{who}收不到你：你的程序签了名的东西没有到那里。可能是服务器扣下了。你说的话可能没有被听到；请用别的方式确认。",
  "alarm.unreadable_commit":
    "有两个人读不了{who}最近的变动，只好重新进来。{who}的程序可能是故意的。你可以把{who}请出房间。",
  "alarm.unreadable_commit.again":
    "{victim}读不了{who}的两次变动，别人却都读得了，只好重新进来。两人之中有一个的程序可能是故意的：请问问两位。你可以把{who}或{victim}请出房间。",
  "alarm.unreportable":
    "{name}没有出示主持人的放行签名：{name}写的东西无法举报。诚实的程序只要拿到签名就会马上出示；请问问对方，或请主持人把{name}请出去。",
  "alarm.unverified_media":
    "没有东西能证明，以{names}名义送来的声音和画面真的来自本人：签名没有到。可能是服务器扣下了，也可能是别人在说话。从现在起，签了名才播放；请用别的方式确认。",
  "alarm.withheld":
    "据{who}说，会议已到第 {slot} 次变动，服务器却不把这次变动交给你。可能是有人被请出去了。变动到之前，声音和画面暂停；如果一直没到，请离开再重新进来，或用别的方式问问。",

  "status.away.restarted": "服务器重新启动过，要等主持人回到那里，它才知道这场会议。",
  "status.away.unreachable":
    "完全连不上服务器：可能是它停了，或中间的路不通。收到的东西里没有任何一项说有人结束了会议。正在重试……",
  "status.cleared.fresh": "其他人又确认了谁在房间里。声音和画面可以送了。",
  "status.cleared.handed_over": "这里缺少的变动已经到了。",
  "status.cleared.heard": "又收得到{who}了。",
  "status.cleared.messages": "这里缺少的消息已经到了。",
  "status.cleared.reaches": "你发送的又能到{who}那里了。",
  "status.cleared.reaching": "又到得了{whom}那里：{streams}。",
  "status.comparing": "正在和房间里所有人一起生成码……",
  "status.host": "你现在是这场会议的主持人。",
  "status.knocking": "已敲门。等主持人回应……",
  "status.no_admission":
    "主持人没有签名证明让你进来。你在这里写的东西无法举报，别人可能会收到通知，说你扣下了签名。请问问主持人，再重新进来。",
  "status.no_code": "这次没有码：{why}。请再比对一次。",
  "status.no_host": "你不再是这场会议的主持人。",
  "status.not_yet": "你还不能回来：{why}程序会继续尝试。",
  "status.override": "声音和画面依你的意思继续。已被请出去的人可能还在听。",
  "status.removal_reach":
    "{names}被请出去的事，{total} 人中有 {reached} 人收到了，还没收到的是：{missing}。在那之前，{names}可能还看得到、听得到那边送来的东西。",
  "status.removal_reach.all": "{names}被请出去的事，所有人都收到了（{total} 人中的 {total} 人）。",
  "status.reports": "你在这里写的东西，事后可以向别人证明：这场会议保留供举报用的签名。",
  "status.returning": "正在寻找能让主持人重新进来的人……",
  "status.revoked": "{invite}不再有效。",
  "status.verified": "{names}的声音和画面又有签名了。",
  "status.vouched": "{name}现在看得到你是谁，而且无法向别人证明。",
  "status.waiting": "等主持人开门……",
} satisfies Words;
