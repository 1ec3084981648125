"""The pages in 中文 (simplified): each text as it stands in English, and what it becomes."""

from collections.abc import Mapping
from typing import Final

from tracetogether.adapters.operator_pages.chinese_refusals import CHINESE_REFUSALS

CHINESE: Final[Mapping[str, str]] = {
    **CHINESE_REFUSALS,
    # --- every page ---
    "All times are in the time zone {zone}.": "所有时间均为 {zone} 时区的时间。",
    "Pages": "页面",
    ", ": "、",
    "; ": "；",
    "Skip to the content": "跳到正文",
    "Sign out": "退出登录",
    "Overview": "总览",
    "Cases": "病例",
    "Follow-up": "随访",
    "Exports": "导出",
    "Audit log": "审计日志",
    "Keys": "密钥",
    "Pages of this list": "本列表的分页",
    "Previous": "上一页",
    "Next": "下一页",
    "{first}–{last} of {total}": "第 {first}–{last} 条，共 {total} 条",
    # --- signing in ---
    "Sign in": "登录",
    "The tracers’ desk of {authority}": "{authority} 追踪工作台",
    "User name": "用户名",
    "Password": "密码",
    "Not the operator token: that is for programs. Who has no password yet gets one from whoever "
    "runs this server.": "不是操作员令牌（token），令牌供程序使用。尚无密码者请联系服务器管理员。",
    "Code": "验证码",
    "Six digits from your app. Leave it empty the first time.": (
        "验证器应用显示的六位数字。首次登录请留空。"
    ),
    "Set up your codes": "设置验证码",
    "From now on a code is asked besides the password. This is shown until the first code is "
    "given, and never again.": "今后登录除密码外还需验证码。本页只在输入第一个验证码之前显示。",
    "1. Scan this with an authenticator app (any that knows TOTP):": (
        "1. 请用验证器应用（支持 TOTP 即可）扫描："
    ),
    "QR code of the secret below": "下方密钥的二维码",
    "or type the secret:": "或手动输入密钥：",
    "2. The code that the app shows now": "2. 应用当前显示的验证码",
    "Go on": "继续",
    # --- the overview ---
    "Use the menu above; it shows the pages your roles allow.": "您的角色可使用的页面见上方菜单。",
    "All cases.": "全部病例。",
    "The cases that were given to you.": "分配给您的病例。",
    "Calls due today": "今日待拨电话",
    "{count} done": "已完成 {count}",
    "{open} open, {tracing} tracing": "待追踪 {open}，追踪中 {tracing}",
    "Uploaded logs": "已上传记录",
    "Active phones today (UTC)": "今日活跃手机（UTC）",
    "{count} yesterday": "昨日 {count}",
    "Users": "用户",
    "{share} active yesterday": "昨日活跃 {share}",
    "Audit entries": "审计条目",
    "Contacts to call, by priority": "待联系的接触者（按优先级）",
    "Contacts by state": "接触者（按状态）",
    "Cases opened on each day": "每日新增病例",
    "Cases opened, last 14 days": "近 14 天新增病例",
    "Contacts found, and first reached, on each day": "每日发现与首次联系到的接触者",
    "Contacts found and first reached, last 14 days": "近 14 天发现与首次联系到的接触者",
    "found": "发现",
    "first reached": "首次联系到",
    "How well contacts are traced": "追踪成效",
    "WHO’s indicators, over everything that is kept (at most 25 days). “Some of all” stands "
    "beside each share.": (
        "世界卫生组织指标，涵盖全部在存数据（最多 25 天）。每个比例旁注明分子与分母。"
    ),
    "{some} of {all}": "{some} / {all}",
    "Contacts reached within a day": "一日内联系到的接触者",
    "Contacts followed on all days": "全程每日随访的接触者",
    "New cases among known contacts": "新病例中已知的接触者",
    "Cases whose tracing began within a day": "一日内开始追踪的病例",
    "Contacts lost": "失访的接触者",
    "The figures of the last 14 days as a table": "近 14 天数据表",
    "Day": "日期",
    "Cases opened": "新增病例",
    "Contacts found": "发现接触者",
    "First reached": "首次联系到",
    # --- cases ---
    "{count} cases, the newest first": "共 {count} 个病例，最新在前",
    "Open a case": "登记病例",
    "User id, as the person’s phone shows it": "用户编号（见本人手机）",
    "Day of diagnosis or first symptoms": "确诊或首发症状日期",
    "Today if the day is left out. Contacts are counted from 14 days before it.": (
        "留空则为今天。接触者从该日前 14 天起计算。"
    ),
    "Case id begins with": "病例编号开头",
    "State": "状态",
    "all": "全部",
    "Search": "搜索",
    "Case": "病例",
    "Date": "日期",
    "Opened": "登记时间",
    "Given to": "负责人",
    "Logs": "上传份数",
    "Contacts": "接触者",
    "To call": "待联系",
    "Followed": "随访中",
    "Lost": "失访",
    "Due today": "今日待拨",
    "No case here. A case is opened with the user id that the person’s phone shows.": (
        "没有病例。请用本人手机上显示的用户编号登记病例。"
    ),
    "open": "待追踪",
    "tracing": "追踪中",
    "closed": "已结案",
    "merged": "已合并",
    # --- one case ---
    "Case {case}": "病例 {case}",
    "Date {date}; person {person}; opened {opened}": "日期 {date}；代号 {person}；登记于 {opened}",
    "given to {name}": "负责人 {name}",
    "merged into": "已并入",
    "merged into another case": "已并入另一病例",
    "not confirmed": "待确认",
    "Confirm the case": "确认此病例",
    "A tracer opened this case for a contact. Other people’s logs are used for it once an issuer "
    "confirms it, or once the person’s log comes in with a PIN.": (
        "此病例由追踪员为一名接触者开立。待签发员确认，或本人凭上传码上传记录之后，才会使用他人的记录。"
    ),
    "This person has another open case; a supervisor can merge one into the other:": (
        "此人另有未结病例，主管可将其合并："
    ),
    "Issue a PIN to read out (15 min)": "生成上传码：电话告知（15 分钟）",
    "Issue a PIN to send (24 h)": "生成上传码：短信或信函（24 小时）",
    "Timeline": "时间线",
    "Contact graph": "接触关系图",
    "Close the case": "结案",
    "Open the case again": "重新打开病例",
    "Contacts are shown to the tracer whom the case was given to, and to supervisors.": (
        "只有负责此病例的追踪员和主管可以看到接触者。"
    ),
    "No log has come in yet. Issue a PIN, read it out, and let the person upload; contacts then "
    "stand here.": "尚未收到记录。请生成上传码并读给本人，上传后接触者会显示在这里。",
    "No log has come in yet. Ask a colleague with the role issuer for a PIN; once the person has "
    "uploaded, contacts stand here.": (
        "尚未收到记录。请向有签发员（issuer）角色的同事索取上传码，本人上传后接触者会显示在这里。"
    ),
    "The log names nobody in these days.": "记录显示这些天没有接触者。",
    "Who was near, {first} to {last}": "{first} 至 {last} 的近距离接触",
    "Who was near on which day": "每天与谁近距离接触",
    "Policy:": "判定标准：",
    "within 1 m": "1 米以内",
    "within 2 m": "2 米以内",
    "farther": "更远",
    "bar: median minutes; line: 5 % to 95 %": "柱：分钟数中位数；线：5 % 至 95 %",
    "recorded by the case’s phone": "由病例手机记录",
    "by the contact’s": "由接触者手机记录",
    "by both": "双方均有记录",
    "Contacts, the most likely first": "接触者（可能性最高者在前）",
    "Person": "代号",
    "Priority": "优先级",
    "Close contact": "密切接触的可能性",
    "Minutes near": "近距离分钟数",
    "Busiest 24 h": "最密集 24 小时",
    "Nearest, m": "最近距离（米）",
    "Days": "天数",
    "Last": "最后一次",
    "Recorded by": "记录方",
    "In brackets 5 % to 95 %. Where they reach from 0 to the whole time together, the signal does "
    "not say: ask the people.": (
        "括号内为 5 % 至 95 %。若从 0 一直到全部共处时间，则信号无法判断：请询问本人。"
    ),
    "Day by day as a table": "逐日数据表",
    "Encounters": "接触次数",
    "{name}, {day}: {minutes} min, nearest {nearest} m, recorded by {side}": (
        "{name}，{day}：{minutes} 分钟，最近 {nearest} 米，记录方：{side}"
    ),
    "the case’s phone": "病例手机",
    "the contact’s phone": "接触者手机",
    "both phones": "双方手机",
    "Notes": "备注",
    "New note": "新备注",
    "Keep the note": "保存备注",
    "The key of that day is gone.": "当日密钥已销毁。",
    "What was uploaded": "上传内容",
    "{count} can’t be opened any more": "{count} 份已无法打开",
    "Records": "记录条数",
    "Believed": "采信",
    "In these days": "在此期间",
    "Not believed": "未采信",
    "{count} of another authority’s phones": "其中 {count} 条来自其他机构的手机",
    "Give the case to": "分配病例",
    "Tracer": "追踪员",
    "nobody": "无",
    "Give": "分配",
    "Merge into another case": "并入另一病例",
    "Id of the case that stays": "保留的病例编号",
    "Id of the one that stays": "保留者的编号",
    "Open a case for this contact?": "要为此接触者登记病例吗？",
    "The contact becomes a case, and is not called any more. That can't be undone.": (
        "此接触者将转为病例，不再随访。此操作无法撤销。"
    ),
    "Merge": "合并",
    "Upload PIN": "上传码",
    "Read it out now, on the telephone.": "请立即在电话中读给本人。",
    "Send it to the person, as a message or a letter.": "请以短信或信函发送给本人。",
    "It works once, on this person’s phone alone, until {time}. After five wrong numbers it is "
    "void.": "只能在其手机上使用一次，有效期至 {time}。输错五次即作废。",
    "It is shown only now and kept nowhere. A new one replaces it.": (
        "仅此一次显示，任何地方都不保存。新码会取代它。"
    ),
    "Back to the case": "回到病例",
    "Contacts of case {case}, and where else they were near": "病例 {case} 的接触者及其关联病例",
    "Contacts, and where else they were near": "接触者及其关联病例",
    "Left the case, in the middle its contacts (the thicker the line, the longer), right the "
    "other cases that know them; red leads to a contact’s own case.": (
        "左为病例，中为接触者（线越粗时间越长），右为与其有关的其他病例；红线指向接触者本人的病例。"
    ),
    "Also near cases": "也接触过的病例",
    "Own cases": "本人病例",
    "No contacts yet.": "尚无接触者。",
    # --- the graph over all cases ---
    "Who met whom": "接触网络",
    "Cases {first} to {last} of the {total} that have logs and that you may see, the newest first. "
    "What joins them to others is not drawn.": (
        "您可查看的有上传记录的病例共 {total} 个，最新在前，此处为第 {first} 至 {last} 个；"
        "与其他病例的关联不在图中。"
    ),
    "All {total} cases that have logs and that you may see.": (
        "您可查看的全部有上传记录的病例，共 {total} 个。"
    ),
    "Cases, and what joins them": "病例及其关联",
    "likeliest source among those that the case met": "曾接触者中最可能的传染源",
    "close contacts": "密切接触",
    "know the same people": "有共同接触者",
    "each column is the date of its cases; the thicker a line, the longer, or the more people": (
        "每列为病例日期；线越粗，接触时间越长或共同接触者越多"
    ),
    "The {count} strongest of {total} lines are drawn.": (
        "共 {total} 条关联，图中为最强的 {count} 条。"
    ),
    "{one} and {other} met: {minutes} min near": "{one} 与 {other} 曾接触：近距离 {minutes} 分钟",
    "{infected} perhaps infected by {infector}: {share}": (
        "{infected} 可能由 {infector} 感染：{share}"
    ),
    "{one} and {other} know the same people: {count}": "{one} 与 {other} 有 {count} 名共同接触者",
    "Cases that met": "曾接触的病例",
    "Met case": "曾接触病例",
    "First": "第一次",
    "No two of these cases met.": "这些病例之间没有接触。",
    "Who may have infected whom: a ranking, no finding": "可能的传播关系：仅为排序，并非结论",
    "Infected case": "被感染病例",
    "Perhaps by case": "可能的传染源病例",
    "Share of all sources": "占全部传染源的比例",
    "This way about": "此方向的可能性",
    "Likeliest day": "最可能日期",
    "What this takes for granted": "排序的前提",
    "No two cases met on days that fit an infection.": "没有两个病例的接触日期与传播相符。",
    "A case's date stands for the first symptoms, give or take two days; diagnoses come later.": (
        "病例日期视为首发症状日期，误差两天；确诊日期会更晚。"
    ),
    "this program's choice": "本程序的设定",
    "Symptoms follow infection after 5.1 days in the median (log-normal, sigma 0.418).": (
        "从感染到出现症状的中位数为 5.1 天（对数正态分布，σ = 0.418）。"
    ),
    "People infect others about the day of their first symptoms (mean 0.5 days after, standard "
    "deviation 2.7).": "传染多发生在首发症状前后（平均在其后 0.5 天，标准差 2.7 天）。",
    "The chance of infection grows with the minutes near; nothing is known of walls, masks, air or "
    "immunity.": "感染的可能性随近距离时间增加；墙壁、口罩、通风和免疫情况均未知。",
    "Somebody who is in no log weighs as much as one person near for 15 minutes on the likeliest "
    "of days.": "未被记录的传染源，按最可能的一天里一人近距离 15 分钟计。",
    "People known from several cases": "多个病例的共同接触者",
    "Near cases": "接触过的病例",
    "Nobody stands in the lists of two of these cases.": "这些病例没有共同接触者。",
    "The cases as a table": "病例数据表",
    "Close contacts": "密切接触者",
    "No case has a log yet. Issue a PIN on a case’s page, and let the person upload.": (
        "尚无病例上传记录。请在病例页面生成上传码，由本人上传。"
    ),
    # --- contacts and calls ---
    "Calls for today": "今日随访电话",
    "{count} to call on {day}, the most urgent first": "{day} 待拨 {count} 人，最紧急者在前",
    "Why": "原因",
    "Missed": "连续未联系上（天）",
    "Until": "随访至",
    "Today’s call": "今日通话",
    "What the call to {person} found": "与 {person} 的通话结果",
    "choose": "请选择",
    "Record": "记录",
    "Nobody is to be called any more today.": "今天没有待拨电话。",
    "Contact {person}": "接触者 {person}",
    "priority: {word}": "优先级：{word}",
    "high": "高",
    "medium": "中",
    "low": "低",
    "casual": "一般接触",
    "to be called": "待联系",
    "told": "已告知",
    "in follow-up": "随访中",
    "lost": "失访",
    "completed": "完成随访",
    "became a case": "已转为病例",
    "no symptoms": "无症状",
    "symptoms": "有症状",
    "not reached": "未联系上",
    "close contact": "密切接触",
    "twice the policy’s minutes in a day": "一天内超过标准时长两倍",
    "on three days or more": "三天以上",
    "within a metre": "一米以内",
    "brief or distant": "短暂或较远",
    "Put on the call list": "列入电话名单",
    "Was told": "已告知本人",
    "Days together": "接触天数",
    "last {time}": "最后 {time}",
    "Follow-up until": "随访至",
    "Days missed": "未联系上",
    "in a row": "连续天数",
    "Days on which they were near": "近距离接触的日期",
    "{share} likely to reach {limit} min within {metres} m in 24 hours": (
        "24 小时内在 {metres} 米内达到 {limit} 分钟的可能性为 {share}"
    ),
    "{minutes} min near altogether": "近距离共 {minutes} 分钟",
    "{minutes} min in the busiest 24 hours": "最密集 24 小时内 {minutes} 分钟",
    "nearest {metres} m": "最近 {metres} 米",
    "days: {count}": "天数：{count}",
    "days from the last one to the case’s date: {count}": "最后一天距病例日期的天数：{count}",
    "recorded by {side}": "记录方：{side}",
    "Calendar": "随访日历",
    "Call": "通话",
    "By": "操作者",
    "today": "今天",
    "Record a call": "记录通话",
    "What it found": "结果",
    "Who it is": "身份",
    "The name is shown only for a reason, which stands in the audit log with your name. Name "
    "nobody in it.": "查看身份须说明理由，理由与您的用户名会写入审计日志。理由中请勿写任何人名。",
    "Reason": "理由",
    "Reveal": "查看身份",
    "Write down name and telephone number": "登记姓名和电话",
    "Name": "姓名",
    "Telephone": "电话",
    "Keep, sealed": "加密保存",
    "A blank changes nothing. Reveal shows what is stored, and deletes it there.": (
        "留空不会更改任何内容。查看身份时可看到并删除已保存的内容。"
    ),
    "A name is stored; this replaces it.": "已保存姓名，填写后将替换。",
    "No name is stored.": "尚未保存姓名。",
    "A telephone number is stored; this replaces it.": "已保存电话，填写后将替换。",
    "No telephone number is stored.": "尚未保存电话。",
    "Change or delete": "修改或删除",
    "Change": "修改",
    "Delete the name": "删除姓名",
    "Delete the number": "删除电话",
    "Delete the name?": "删除姓名？",
    "Delete the telephone number?": "删除电话号码？",
    "What is stored is lost for good, and nobody can bring it back.": (
        "已保存的内容将永久删除，任何人都无法恢复。"
    ),
    "Delete it": "删除",
    "merged from": "合并自",
    "Undo the merge of {id}": "撤销 {id} 的合并",
    "Undo the merge?": "撤销合并？",
    "Undo the merge": "撤销合并",
    "Merge?": "确认合并？",
    "{gone} goes into {into}, and each page names the other. It can be undone.": (
        "{gone} 将并入 {into}，两个页面会互相注明。合并可以撤销。"
    ),
    "{gone} stands alone again, as before the merge.": "{gone} 将恢复为合并前的独立记录。",
    "The case comes back closed: its person has another open case.": (
        "该病例恢复后为已结案：此人另有未结病例。"
    ),
    "Contacts that go over as they are": "原样转入的接触者",
    "Contacts that become one with another": "与另一条合为一人的接触者",
    "Days whose call goes over": "转入通话结果的天数",
    "Days with two calls: that of the contact that stays counts": (
        "两边均有通话结果的天数：以保留者为准"
    ),
    "Notes that go over": "转入的备注",
    "Names and telephone numbers that go over": "转入的姓名和电话",
    "Contacts whose other name or number is kept beside": "另存不同姓名或电话的接触者",
    "Logs that stay with the merged case": "仍留在被合并病例的记录",
    "Contacts that go back as they are": "原样转回的接触者",
    "Contacts that become two again": "重新分为两人的接触者",
    "Days whose call is taken away again": "撤回通话结果的天数",
    "Notes that go back": "转回的备注",
    "Contacts changed since: those changes stay where they are": (
        "合并后有改动的接触者：改动保留在原处"
    ),
    "Contacts that stay: deleted or merged again since": "不再转回的接触者：已删除或再次合并",
    "Also, of a merged contact": "另有（来自已合并的接触者）",
    "Something else": "其他操作",
    "Tested positive: open a case": "检测阳性：登记为病例",
    "Same person as contact": "与另一接触者为同一人",
    "The id at the end of the other contact’s address; this one’s is {id}.": (
        "填写另一接触者网址末尾的编号；本人的编号为 {id}。"
    ),
    "User id": "用户编号",
    "Shown only now. The audit log has your name and the reason.": (
        "仅此一次显示。审计日志已记录您的用户名和理由。"
    ),
    "Phones register without a name, and nobody has written one down for this person. Ask the "
    "case who was near on these days, and write down name and telephone number on the contact’s "
    "page.": (
        "手机注册时不含姓名，也尚无人登记此人的姓名和电话。请询问病例这些日期与谁在一起，"
        "再到接触者页面登记姓名和电话。"
    ),
    "Back to the contact": "回到接触者",
    # --- exports ---
    "The contacts of all cases as a file, without names. Every export stands in the audit log "
    "with your name.": (
        "将全部病例的接触者导出为文件，不含姓名。每次导出都会连同您的用户名写入审计日志。"
    ),
    "Layout": "格式",
    "What it holds": "内容",
    "Save as": "另存为",
    "{layout} as {form}": "{layout}，{form}",
    "Everything but who it is, under pseudonyms.": "除身份外的全部内容，使用代号。",
    "No name that anything else bears, no date; figures rounded.": (
        "不含可关联的编号和日期；数值取整。"
    ),
    "Columns as SORMAS imports contacts.": "SORMAS 导入接触者所用的列。",
    "Columns as Go.Data imports contacts.": "Go.Data 导入接触者所用的列。",
    "A text that begins like a formula gets an apostrophe in CSV, so that no spreadsheet runs "
    "it.": "CSV 中以公式符号开头的文字会加撇号，电子表格不会执行。",
    # --- oversight ---
    "Who did what and when. Nothing in it is ever changed, and nothing in it is a person.": (
        "何人何时做了何事。内容不可更改，也不含任何个人信息。"
    ),
    "Check every entry": "逐条核验",
    "{count} entries, none changed.": "共 {count} 条，均未被更改。",
    "No.": "序号",
    "Time": "时间",
    "Act": "操作",
    "Subject": "对象",
    "Details": "详情",
    "Keys and purges": "密钥与清除",
    "Which days’ keys exist; the keys themselves are shown nowhere.": (
        "显示哪些日期有密钥；密钥本身从不显示。"
    ),
    "Two hourly purges were missed: things are kept beyond their time.": (
        "连续两次每小时清除未执行：数据超期留存。"
    ),
    "Days with keys": "有密钥的天数",
    "Oldest key": "最旧密钥",
    "days; over 25 is an alarm": "天；超过 25 天须警惕",
    "Quarantined days": "隔离天数",
    "Last purge": "上次清除",
    "Day keys": "每日密钥",
    "From": "自",
    "To": "至",
    "Chain": "密钥链",
    "quarantined": "已隔离",
    "in use": "使用中",
    "What is kept": "在存数据",
    "users": "用户",
    "cases": "病例",
    "open PINs": "有效上传码",
    "uploaded logs": "已上传记录",
    "bytes of them, sealed": "其字节数（加密）",
    "contact lists": "接触者名单",
    "lines in them": "名单行数",
    "audit entries": "审计条目",
}
