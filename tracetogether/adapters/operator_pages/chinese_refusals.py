"""What pages say in 中文 when something is refused: what to do, and who can help."""

from collections.abc import Mapping
from typing import Final

CHINESE_REFUSALS: Final[Mapping[str, str]] = {
    # --- headings and ways on ---
    "Signed out": "已退出",
    "Not allowed": "没有权限",
    "Not found": "未找到",
    "This does not fit": "无法执行",
    "Too large": "内容过大",
    "Too many tries": "尝试次数过多",
    "A fault of this server": "服务器故障",
    "Not available now": "暂时不可用",
    "This did not work": "未能完成",
    "To the overview": "回到总览",
    "To the cases": "回到病例列表",
    "What you had written": "您刚才填写的内容",
    "Copy it: it was not saved.": "请先复制：内容尚未保存。",
    "Try again": "重试",
    "Nothing was saved: look at": "未保存，请检查：",
    # --- any page ---
    "There is nothing at this address: take one of the pages above, or sign in.": (
        "此地址没有内容：请使用上方的页面，或先登录。"
    ),
    "A fault of this server kept it from being done; nothing of it was saved. Try again; if it "
    "comes again, tell whoever runs this server this reference: {reference}": (
        "服务器发生故障，操作未完成，也没有保存任何内容。请重试；若再次出现，"
        "请将此编号告知服务器管理员：{reference}"
    ),
    "The service can’t read or write its data or keys now. Nothing was saved; try again in some "
    "minutes. If it stays so, tell whoever runs this server.": (
        "服务暂时无法读写数据或密钥，未保存任何内容。请几分钟后再试；若仍不行，请告知服务器管理员。"
    ),
    "Your roles do not allow this: it takes one of {roles}. Ask a colleague who has it, or whoever "
    "runs this server.": (
        "您的角色不允许此操作：需要以下角色之一：{roles}。请找有此角色的同事，或联系服务器管理员。"
    ),
    "You are signed out: sign in and do it again.": "您已退出：请登录后重试。",
    "This form is too large, and its end is missing below: a note has up to 2,000 characters. "
    "Shorten it, compare it with what you wrote, and send it again.": (
        "表单内容过大，下方缺少末尾部分：备注最多 2,000 个字符。请缩短，与您写的内容核对后再发送。"
    ),
    "This was not merged alone, or too long ago: there is nothing to undo here. A contact that "
    "went over with its case comes back with the case.": (
        "此项并非单独合并，或合并已久：无可撤销。随病例转入的接触者会随病例一起恢复。"
    ),
    "The merge can’t be undone any more: the key of that day is gone.": (
        "合并已无法撤销：当天的密钥已不存在。"
    ),
    "The contact that it was merged into was merged again or deleted: undo that merge first.": (
        "合并后的接触者又被合并或已删除：请先撤销那次合并。"
    ),
    "The case that it was merged into was merged again: undo that merge first.": (
        "合并后的病例又被合并：请先撤销那次合并。"
    ),
    "Send it again": "重新发送",
    "Somebody changed this while you had the page open: compare what is stored now with what you "
    "sent.": "您打开此页面期间有人修改过：请将现在保存的内容与您提交的内容对照。",
    "A colleague wrote down something else for that day: look at it, and record yours again if it "
    "is right.": "同事已为当天记录了其他结果：请先查看，若您的记录正确再重新提交。",
    "Something else is stored already: reveal it first, and change it there.": (
        "已保存有其他内容：请先查看身份，再在该处修改。"
    ),
    "Either type a new value or delete the old one, not both.": (
        "请填写新内容或删除原内容，不能同时进行。"
    ),
    "Stored now, and what you sent": "现在保存的内容与您提交的内容",
    "Stored now": "现在保存的内容",
    "What you sent": "您提交的内容",
    "Nothing was saved. The form below has what you sent: change it, and send it again.": (
        "尚未保存任何内容。下方表单保留了您提交的内容：请修改后重新提交。"
    ),
    "not changed": "未更改",
    "Leave it as it is": "保持不变",
    "Sign in here, and it is given back to be sent.": "请在此登录，登录后内容会交还给您发送。",
    "Sign in without it": "放弃内容并登录",
    "You are signed in again. This was not saved: read it, and send it.": (
        "您已重新登录。以下内容尚未保存：请核对后发送。"
    ),
    "Up to 2,000 characters in any script; a line break counts as one.": (
        "最多 2,000 个字符，任何文字均可；换行算一个字符。"
    ),
    "This form is not of your session: open the page again. If that does not help, your browser "
    "keeps no cookies here: use https, or this machine itself.": (
        "此表单不属于您的会话：请重新打开页面。若仍不行，说明浏览器没有保存 Cookie："
        "请使用 https，或在本机打开。"
    ),
    "This did not work. Tell whoever runs this server what you wanted to do.": (
        "未能完成。请将您想做的操作告知服务器管理员。"
    ),
    "Too many tries: go on in {seconds} seconds.": "尝试次数过多：请在 {seconds} 秒后继续。",
    # --- signing in ---
    "User name, password or code is wrong, or the code was used: wait for the next code. Is the "
    "password forgotten or the device lost? Whoever runs this server sets a new password.": (
        "用户名、密码或验证码有误，或验证码已用过：请等待下一个验证码。"
        "忘记密码或设备遗失？请联系服务器管理员重设密码。"
    ),
    "This is not the code of now: wait for the next one, and compare the clocks of the two "
    "devices.": "验证码不正确：请等待下一个验证码，并核对两台设备的时间。",
    "The codes are set up already. If the device that shows them is lost, whoever runs this server "
    "sets a new password for you; codes are then set up anew.": (
        "验证码已设置。若显示验证码的设备遗失，请联系服务器管理员重设密码，随后重新设置验证码。"
    ),
    # --- cases ---
    "There is no such user: compare each letter with the user id on the person’s phone. If it is "
    "the same, the phone has withdrawn or is registered elsewhere, and no case can be opened for "
    "it.": (
        "没有此用户：请与本人手机上的用户编号逐字核对。"
        "若完全一致，则该手机已注销或在别处注册，无法登记病例。"
    ),
    "There is no such case: look it up in the list of cases. A case that nobody works on is "
    "deleted after 25 days.": "没有此病例：请在病例列表中查找。25 天无人处理的病例会被删除。",
    "There is no such case among those that you were given: a supervisor gives a case to a "
    "tracer, on the case’s page.": "分配给您的病例中没有此病例：主管可在病例页面将其分配给追踪员。",
    "There is no such case any more: open a new one, in the list of cases.": (
        "此病例已不存在：请在病例列表中重新登记。"
    ),
    "There is no such tracer: choose one from the list.": "没有此追踪员：请从列表中选择。",
    "The date lies in the future: give the day of diagnosis or of the first symptoms.": (
        "日期在未来：请填写确诊或首发症状日期。"
    ),
    "The date lies more than 21 days back, and no phone’s log reaches so far: give a later day, or "
    "none for today.": "日期早于 21 天前，手机记录已不可及：请填写较晚的日期，留空则为今天。",
    "A date is written like 2020-05-04.": "日期格式如 2020-05-04。",
    "Something went wrong by chance: try again.": "偶发错误：请重试。",
    "The case is {state} already: nothing is to be done.": "此病例{state}，无需再操作。",
    "This person has an open case already: {case}.": "此人已有未结病例：{case}。",
    "This person has an open case already, which is not assigned to you. A supervisor can assign "
    "it to you.": "此人已有未结病例，但未分配给您。主管可将其分配给您。",
    "The case is confirmed already.": "此病例已确认。",
    "The case is {state}: only an open case is confirmed.": (
        "此病例{state}：只有未结病例才能确认。"
    ),
    "The case is {state}: only a closed one is opened again.": (
        "此病例{state}：只有已结案的病例才能重新打开。"
    ),
    "A case is not merged into itself: name another one.": "病例不能并入自身：请填写另一病例。",
    "One of the two cases was merged already: its page says into which. Name that one.": (
        "其中一个病例已被合并：其页面注明并入了哪个病例，请填写那个病例。"
    ),
    "Choose how the PIN gets to the person.": "请选择上传码如何交给本人。",
    "All {count} upload PINs of this day are given out; the next can be in {minutes} minutes. If "
    "that is too late, whoever runs this server can allow more.": (
        "今天的 {count} 个上传码已全部发出；{minutes} 分钟后可继续。"
        "若等不及，请联系服务器管理员增加。"
    ),
    "There is no such policy: choose one of those that the page offers.": (
        "没有此判定标准：请选择页面所列之一。"
    ),
    "A text here holds a NUL character, which can’t be kept: remove it and try again.": (
        "此处文字含有无法保存的空字符（NUL）：请删除后重试。"
    ),
    # --- contacts and calls ---
    "A reason is one line of plain text: remove its line breaks and control characters.": (
        "理由只能是一行普通文字：请删除换行和控制字符。"
    ),
    "Say why the person is to be known, in up to 200 characters: the reason goes into the audit "
    "log.": "请用不超过 200 个字符说明需要知道此人身份的理由：理由会写入审计日志。",
    "There is no such contact among those of your cases. Open it from its case or from the "
    "follow-up list; if the case is another tracer’s, a supervisor can give it to you.": (
        "您的病例中没有此接触者。请从病例页面或随访列表中打开；"
        "若病例由其他追踪员负责，主管可以将其分配给您。"
    ),
    "There is no such contact in this case: look it up on the case’s page.": (
        "此病例中没有该接触者：请在病例页面查找。"
    ),
    "That contact is of another case: choose one from this case’s page.": (
        "该接触者属于另一病例：请从本病例页面选择。"
    ),
    "Nobody can tell any more who it is: the key of that day is gone, as it is meant to be after "
    "25 days.": "已无法得知其身份：当日密钥已按规定在 25 天后销毁。",
    "Choose what the call found.": "请选择通话结果。",
    "The day has not come: write down calls that were made.": (
        "这一天尚未到来：只记录已拨打的电话。"
    ),
    "The day is not in the contact’s calendar: choose one that stands there.": (
        "该日期不在此接触者的随访日历中：请选择日历中的日期。"
    ),
    "The person was told before: record what today’s call finds.": (
        "之前已告知本人：请记录今天的通话结果。"
    ),
    "This contact is or was on the call list already: nothing is to be done.": (
        "此接触者已在或曾在电话名单中，无需再操作。"
    ),
    "The contact was merged into another one: nothing is changed here any more.": (
        "此接触者已被合并，此处不能再更改。"
    ),
    "The contact became a case: nothing is changed here any more.": (
        "此接触者已转为病例，此处不能再更改。"
    ),
    "Name and telephone have up to {most} characters each.": ("姓名和电话各不超过 {most} 个字符。"),
    "A note has 1 to {most:,} characters: this one has {count:,}.": (
        "备注须为 1 至 {most:,} 个字符：此备注有 {count:,} 个字符。"
    ),
    "Two contacts of one case are merged: name another one of the same case.": (
        "只能合并同一病例的两名接触者：请填写同一病例中的另一名。"
    ),
    # --- exports and oversight ---
    "Choose one of the lists that are offered.": "请选择所列名单之一。",
    "Choose one of the file formats that are offered.": "请选择所列文件格式之一。",
    "Your roles do not allow this. Ask a colleague who has the role, or the administrator of this "
    "server.": "您的角色不允许此操作。请找有该角色的同事，或联系服务器管理员。",
    "Audit entry {number} is missing: the log was tampered with. Tell whoever runs this server and "
    "whoever answers for data protection at once.": (
        "审计条目 {number} 缺失：日志被篡改。请立即告知服务器管理员和数据保护负责人。"
    ),
    "Audit entry {number} was changed: the log was tampered with. Tell whoever runs this server "
    "and whoever answers for data protection at once.": (
        "审计条目 {number} 被更改：日志被篡改。请立即告知服务器管理员和数据保护负责人。"
    ),
}
