import type { Texts, Words } from "../entry";

const leaked = (a: Texts, what: string, todo: string): string =>
  `${a.invite}被用了兩次：它外流了。${what}。它不再有效。${todo}`;

const differs = (a: Texts, than: string): string =>
  `${a.names}用的頁面和${than}的不同：這裡 ${a.of} 人中有 ${a.most} 人用同一個頁面。提供那個頁面的人可能改過它，` +
  "也可能改過它顯示或送出的內容。請問清楚那是什麼頁面；snug verify-page 會比對伺服器提供的和正式發布的是否相同。";

/** Where English names a command of the terminal, this names what the page has instead. */
export default {
  // what can't be done
  "cant.another_code": "剛剛出現了另一組碼：請再看一次",
  "cant.book_full": "通訊錄最多放 {most} 位聯絡人",
  "cant.compare_many": "四張圖最多供 {most} 人比對：請比對 40 個數字",
  "cant.contact_name": "新的聯絡人需要名字",
  "cant.digits_few": "哪些數字？請至少輸入碼的前 {least} 個數字",
  "cant.digits_new": "剛剛有人進來，數字已經變了：請輸入你們比對過的那組的前 {least} 個數字",
  "cant.digits_none": "最近的碼都不是以這些數字開頭",
  "cant.digits_two": "最近有兩組碼以這些數字開頭：請多輸入幾個",
  "cant.file_name": "這不能當作給別人的檔名",
  "cant.file_size": "檔案要有 1 到 {most:n} 位元組，這個有 {size:n}",
  "cant.files_many": "已有 {most} 個檔案在傳送中：請等一個傳完",
  "cant.in_book": "這把金鑰已在通訊錄裡：{petname}",
  "cant.invite_over": "邀請 {index} 不再有效",
  "cant.invite_unknown": "這裡沒有邀請 {index}：請看邀請清單",
  "cant.invites": "一位主持人在一場會議裡最多建立 {most} 個邀請",
  "cant.invites_all": "這場會議的邀請幾乎用完了：請另開一場會議",
  "cant.known_as": "你已把別人叫作{petname}：請換個名字",
  "cant.label": "標籤最多 {most} 位元組，不能有控制字元",
  "cant.leaf_taken": "位置 {leaf} 剛剛換成了{name}，原本是{before}：如果你指的是現在這位，請再說一次",
  "cant.no_book": "這裡沒有通訊錄",
  "cant.no_code_yet": "還沒有碼可以比對：請先按「大聲比對」",
  "cant.no_contact": "沒有叫「{what}」的聯絡人",
  "cant.no_evidence": "還沒有東西可以出示：你還沒進過房間",
  "cant.no_identity": "{name}沒有向你出示身分：沒有金鑰可以記住",
  "cant.no_key": "這不是指紋（{digits} 個數字），也不是公開金鑰（64 個十六進位數字）",
  "cant.nobody_else": "位置 {leaf} 上沒有別人",
  "cant.nobody_to_compare": "這裡沒有人可以和你比對",
  "cant.nobody_waits": "沒有人用編號 {number} 在等",
  "cant.not_inside": "你還沒進房間",
  "cant.not_paused": "聲音和畫面沒有暫停",
  "cant.own_key": "這是你自己的金鑰",
  "cant.petname": "這不能當作聯絡人的名字：{why}",
  "cant.react_away": "伺服器連不上：不會有人看到",
  "cant.react_soon": "一次一個：請稍後再試",
  "cant.report_count": "一份檢舉包含 1 到 {most} 則訊息，每則一次",
  "cant.report_no_admission": "{name}沒有出示主持人的放行簽名，所以什麼都無法證明",
  "cant.report_off": "這場會議不保留供檢舉用的簽名：主持人沒有要求",
  "cant.report_proves_nothing": "檢舉它證明不了什麼：{why}",
  "cant.report_unknown": "別人最近寫的 {most} 則訊息裡沒有「{name}」",

  // invites, names and contacts
  "invite.label": "給「{label}」的邀請（第 {index} 號）",
  "invite.number": "邀請 {index}",
  "invite.open": "公開邀請",
  "invite.other": "另一位主持人建立的邀請（第 {index} 號）",
  "look.alike.no_key": "這個名字看起來像你的聯絡人{petname}，卻沒有{petname}的金鑰：可能是別人。",
  "look.alike.other_key": "這個名字看起來像你的聯絡人{petname}，金鑰卻和{petname}的不同：可能是別人。",
  "look.alike_waits": "這個名字看起來像{name}，{name}也在等（第 {knock} 號）。",
  "look.here.no_key": "這裡有人和你的聯絡人{petname}同名，卻沒有{petname}的金鑰：可能是別人。",
  "look.here.other_key": "這裡有人和你的聯絡人{petname}同名，金鑰卻和{petname}的不同：可能是別人。",
  "look.knocks.no_key": "敲門的人和你的聯絡人{petname}同名，卻沒有{petname}的金鑰：可能是別人。",
  "look.knocks.other_key": "敲門的人和你的聯絡人{petname}同名，金鑰卻和{petname}的不同：可能是別人。",
  "look.known_as": "你認得這把金鑰，是{petname}。",
  "look.same_waits": "還有一個在等的人（第 {knock} 號）也叫{name}。",
  "refusal.full": "進過這場會議的人太多，無法再把全部經過告訴新的人。",
  "refusal.locked": "房間上鎖了：現在不讓新的人進來。",
  "refusal.no": "主持人沒有讓你進去。",
  "refusal.not_added": "沒能讓你進去：{why}。請換個名字再敲門，或問問主持人。",
  "refusal.not_added.yet": "沒能讓你進去：{why}。",
  "refusal.not_by_host": "這個回覆不是來自連結所指會議的主持人。",
  "refusal.over": "這個邀請已經用過或收回。請再要一個。",
  "refusal.unusable": "主持人的回覆無法使用：{why}",

  // codes
  "compared.different": "你說碼不一樣。請離開，另開一個房間重新碰面。",
  "compared.same": "你們比對碼之後，沒有人進來或離開。",
  "compared.since": "你們比對碼之後：{changes}。",
  "compared.since.new": "你們比對碼之後：{changes}。{names}不在你們比對過的範圍裡：請再比對一次。",
  "compared.since.news": "你們比對碼之後：{changes}。{names}不在你們比對過的範圍裡：請再比對一次。",
  "since.and": "{before}；{next}",
  "since.came": "{name}進來了（由{by}放行）",
  "since.came_by": "{name}進來了（由{by}放行，{invite}）",
  "since.came_meanwhile": "{name}在你脫隊時進來了",
  "since.left": "{name}離開了",
  "since.policy": ({ text = "" }) => text.replace(/[。.]$/, ""),
  "since.removed": "{name}被{by}請出去了",
  "since.went_meanwhile": "{name}在你脫隊時離開了",
  "nocode.anew": "你的程式這段時間重新進來過",
  "nocode.anew_out": "你的程式中途重新進來",
  "nocode.broke": "你自己的連線斷了",
  "nocode.changed": "這段時間有人進來、離開或換了金鑰",
  "nocode.keys_out": "{who}中途換了會議的金鑰",
  "nocode.not_passed": "伺服器沒有轉送",
  "nocode.nothing": "{seconds} 秒內什麼都沒收到",
  "nocode.nothing_from": "{names}什麼都沒送來",
  "nocode.this_participant": "你自己的程式",
  "nocode.unreachable": "連不上伺服器",

  // sound, pictures and files
  "file.sender_gone": "還沒傳完，傳送的人就離開了。",
  "file.stopped": "傳到一半停了。請對方再傳一次。",
  "file.too_many": "同時傳來的檔案太多：請對方再傳一次。",
  "file.wrong": "收到的和送出的不一樣：有幾段是假的。請對方再傳一次。",
  "signing.away": "聲音和畫面要等伺服器恢復。",
  "signing.out_of_step": "聲音和畫面暫停：我們脫隊了，最近送出的無法簽名。",
  "stream.own.pictures": "你的畫面",
  "stream.own.screen": "你的螢幕",
  "stream.own.screen_sound": "你螢幕的聲音",
  "stream.own.sound": "你的聲音",
  "stream.pictures": "{whose}的畫面",
  "stream.screen": "{whose}的螢幕",
  "stream.screen_sound": "{whose}螢幕的聲音",
  "stream.sound": "{whose}的聲音",
  "watch.paused_stale": "聲音和畫面暫停了：最近確認誰在房間裡的人太少。",
  "watch.paused_withheld": "聲音和畫面暫停了：會議已有新的變動，卻沒有傳到這裡。",
  "watch.server_itself": "伺服器自己",
  "watch.you": "你",

  // the end
  "dropped.forgotten": "伺服器已不記得這場會議。可能大家在我們離線時都離開了，也可能是伺服器結束了它。",
  "dropped.gave_up": "{what}我們不再嘗試回去。",
  "dropped.proof": "「儲存證據」可以留下能證明的部分。",
  "dropped.refuses":
    "伺服器把我們踢出去了；不是房間裡任何人做的。它有回應，但也不開新的房間：可能誰都拒絕。",
  "dropped.restarted": "伺服器把我們踢出去了；不是房間裡任何人做的。它重新啟動過，不讓這場會議回去。",
  "dropped.saved": "證據在 {file}。",
  "dropped.serves": "伺服器把我們踢出去了；不是房間裡任何人做的。它還在為別人服務，並為此簽了名。",

  "alarm.code_aborted":
    "沒有碼，因為{names}在別人都亮出自己那一份之後，沒有亮出自己的：{why}。一次可能是意外；如果再發生，就是有人在試碼，可能和伺服器聯手，也可能沒有。請再比對一次。",
  "alarm.code_cheat":
    "產生碼的時候，{name}的程式先做了承諾，{name}卻沒有遵守。只有想自己挑碼的人才用得著這樣。沒有碼；請和其他人商量是否請{name}出去。",
  "alarm.code_different":
    "碼不一樣：你和比對的人不在同一個房間，可能有人夾在你們中間。請離開，別在這裡再說什麼，用別的方式約好，到另一個房間重新碰面。",
  "alarm.code_fork":
    "產生碼的時候，{name}收到的和你不同，或者{name}這麼說：可能伺服器說了兩套話，也可能{name}在說謊。沒有碼。請用電話比對 40 個數字。",
  "alarm.double_beat":
    "{who}為同一個時刻簽了兩種不同的說法：那個程式對你們其中一些人說謊，或者有兩個程式用同一把金鑰。",
  "alarm.double_beat.host":
    "{who}為同一個時刻簽了兩種不同的說法：那個程式對你們其中一些人說謊，或者有兩個程式用同一把金鑰。你可以把{who}請出房間。",
  "alarm.dropped": "{what}{proof}正在設法回去；請先用電話約好萬一不行要去哪裡。",
  "alarm.dropped.often":
    "一分鐘內，和這場會議的連線斷了 {count} 次，每次伺服器又讓我們進去。不是房間裡任何人做的：是伺服器，或是通往它的網路。",
  "alarm.forged_media":
    "有人冒用{name}的名義送出聲音或畫面。只有會議裡的人在伺服器協助下才做得到。你剛才聽到和看到的{name}可能是假的；從現在起只播放{name}簽過名的內容。",
  "alarm.gone":
    "{who}已經 {seconds} 秒沒有動靜，卻還握有會議的金鑰。你可以把{who}請出房間；之後可以再敲門。",
  "alarm.invite_leaked.both_wait": (a) =>
    leaked(a, `「${a.earlier}」和「${a.name}」都用它敲門，而它最多只給其中一位`, "請另建一個邀請，用別的方式交給對方。"),
  "alarm.invite_leaked.came_in": (a) =>
    leaked(
      a,
      `${a.earlier}用它進來了，現在又有人自稱「${a.name}」用它敲門`,
      `請問${a.earlier}一件只有本人才知道的事，或把${a.earlier}請出去。`,
    ),
  "alarm.invite_leaked.somebody_in": (a) =>
    leaked(
      a,
      `有人用它進來了，現在又有人自稱「${a.name}」用它敲門`,
      "請問進來的那位一件只有本人才知道的事，或把那位請出去。",
    ),
  "alarm.not_admitted": "沒能讓{name}進來：{why}",
  "alarm.not_reaching":
    "據{whom}說，這些送出了卻沒有到：{streams}。聊天還能用；如果一直這樣，請換個網路或伺服器。",
  "alarm.not_reaching.blamed":
    "送出了，卻沒有到{whom}那裡：{streams}。是伺服器丟掉的，或是通往伺服器的網路。聊天還能用；如果一直這樣，請換個網路或伺服器。",
  "alarm.page_differs": (a) => differs(a, "你"),
  "alarm.page_differs.others": (a) => differs(a, "其他人"),
  "alarm.refused.lobby": "伺服器在門口拒絕了某件事：{why}。",
  "alarm.rejoining": "你脫隊了，程式正在請求重新進來。",
  "alarm.removed_knocks":
    "有人自稱「{name}」，用{invite}敲門。{removed}當初就是用它進來的，後來被請出去了。可能是同一個人，也可能是拿到連結的別人。它不再有效；你還想讓誰進來，就要給一個新的邀請。",
  "alarm.reordered":
    "伺服器給{who}的訊息和給你的不同，或順序不同。別以為你讀到了所有說過的話，也別相信順序。",
  "alarm.reordered.held_back": "伺服器給了{who}一些訊息，卻沒有給你。別以為你讀到了所有說過的話。",
  "alarm.reordered.renumbered":
    "伺服器用同一個編號給了你兩則不同的訊息。別以為你讀到了所有說過的話，也別相信順序。",
  "alarm.silent": "已經 {seconds} 秒沒有收到{who}的任何東西。可能是連線斷了，或是伺服器不讓你收到。",
  "alarm.stale":
    "{who}最近沒有確認誰在房間裡。可能有人被請出去了，你卻沒有收到，所以聲音和畫面暫停了。按「仍然送出」可以照樣送出。",
  "alarm.stale.no_host":
    "聽不到任何主持人；{who}最近沒有確認誰在房間裡。可能有人被請出去了，你卻沒有收到，所以聲音和畫面暫停了。按「仍然送出」可以照樣送出。",
  "alarm.unheard.everybody":
    "其他人收不到你：你的程式簽了名的東西沒有到那裡。可能是伺服器扣住了。你說的話可能沒人聽到；請用別的方式確認。",
  "alarm.unheard.many":
    "{who}收不到你：你的程式簽了名的東西沒有到那裡。可能是伺服器扣住了。你說的話他們可能聽不到；請用別的方式確認。",
  "alarm.unheard.one":
    "{who}收不到你：你的程式簽了名的東西沒有到那裡。可能是伺服器扣住了。你說的話可能沒有被聽到；請用別的方式確認。",
  "alarm.unreadable_commit":
    "有兩個人讀不了{who}最近的變動，只好重新進來。{who}的程式可能是故意的。你可以把{who}請出房間。",
  "alarm.unreadable_commit.again":
    "{victim}讀不了{who}的兩次變動，別人卻都讀得了，只好重新進來。兩人之中有一個的程式可能是故意的：請問問兩位。你可以把{who}或{victim}請出房間。",
  "alarm.unreportable":
    "{name}沒有出示主持人的放行簽名：{name}寫的東西無法檢舉。誠實的程式只要拿到簽名就會馬上出示；請問問對方，或請主持人把{name}請出去。",
  "alarm.unverified_media":
    "沒有東西能證明，以{names}名義送來的聲音和畫面真的來自本人：簽名沒有到。可能是伺服器扣住了，也可能是別人在說話。從現在起，簽了名才播放；請用別的方式確認。",
  "alarm.withheld":
    "據{who}說，會議已到第 {slot} 次變動，伺服器卻不把這次變動交給你。可能是有人被請出去了。變動到之前，聲音和畫面暫停；如果一直沒到，請離開再重新進來，或用別的方式問問。",

  "status.away.restarted": "伺服器重新啟動過，要等主持人回到那裡，它才知道這場會議。",
  "status.away.unreachable":
    "完全連不上伺服器：可能是它停了，或中間的路不通。收到的東西裡沒有任何一項說有人結束了會議。正在重試……",
  "status.cleared.fresh": "其他人又確認了誰在房間裡。聲音和畫面可以送了。",
  "status.cleared.handed_over": "這裡缺少的變動已經到了。",
  "status.cleared.heard": "又收得到{who}了。",
  "status.cleared.messages": "這裡缺少的訊息已經到了。",
  "status.cleared.reaches": "你送出的又能到{who}那裡了。",
  "status.cleared.reaching": "又到得了{whom}那裡：{streams}。",
  "status.comparing": "正在和房間裡所有人一起產生碼……",
  "status.host": "你現在是這場會議的主持人。",
  "status.knocking": "已敲門。等主持人回應……",
  "status.no_admission":
    "主持人沒有簽名證明讓你進來。你在這裡寫的東西無法檢舉，別人可能會收到通知，說你扣住了簽名。請問問主持人，再重新進來。",
  "status.no_code": "這次沒有碼：{why}。請再比對一次。",
  "status.no_host": "你不再是這場會議的主持人。",
  "status.not_yet": "你還不能回來：{why}程式會繼續嘗試。",
  "status.override": "聲音和畫面依你的意思繼續。已被請出去的人可能還在聽。",
  "status.removal_reach":
    "{names}被請出去的事，{total} 人中有 {reached} 人收到了，還沒收到的是：{missing}。在那之前，{names}可能還看得到、聽得到那邊送來的東西。",
  "status.removal_reach.all": "{names}被請出去的事，所有人都收到了（{total} 人中的 {total} 人）。",
  "status.reports": "你在這裡寫的東西，事後可以向別人證明：這場會議保留供檢舉用的簽名。",
  "status.returning": "正在尋找能讓主持人重新進來的人……",
  "status.revoked": "{invite}不再有效。",
  "status.verified": "{names}的聲音和畫面又有簽名了。",
  "status.vouched": "{name}現在看得到你是誰，而且無法向別人證明。",
  "status.waiting": "等主持人開門……",
} satisfies Words;
