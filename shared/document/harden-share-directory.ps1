# Restricts access to a directory of the share to the account that maps the share. Optional; an administrator runs it once
# with his own account, on any domain-joined machine:
#
#     .\harden-share-directory.ps1 -Path \\fs.corp.example.com\share\app-state -Account CORP\svc-ecs
#     .\harden-share-directory.ps1 -Path \\fs.corp.example.com\share\app-state -Account CORP\svc-ecs -Apply
#
# The first line only shows what the second does. In the directory's access list it disables inheritance and keeps the
# inherited entries as the directory's own, removes Authenticated Users, and adds the account with Modify for the
# directory, its files and its folders. Owner, group and audit entries stay. Only this directory's list is written;
# Windows propagates it to the files and folders that inherit from it.
#
# It refuses the root of a share, a path with a link, a built-in account, and any result in which SYSTEM would not have
# full control of everything: Amazon FSx needs that, and without it a share can become inaccessible and its backups
# unusable. It also refuses a list that denies anything to a SID which the account's token can hold. It reads the account's
# groups from a domain controller for that, and only if the list denies anything. Denials for others stay and are listed,
# as are the large groups that keep access. After writing it reads the list again, and restores the old one if the two differ.
#
# Exit codes: 0 done or shown; 1 refused, nothing was written; 2 could not be read or written.
param([string]$Path = '', [string]$Account = '', [switch]$Apply)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

function Invoke-Hardening([string]$Path, [string]$Account, [bool]$Apply) {
    $refusal = Get-PathRefusal $Path
    if ($refusal -cne '') { return Format-End 1 "refused: $refusal" }
    $Path = $Path.Replace('/', '\').TrimEnd('\')
    try {
        $sid = Resolve-AccountSid $Account
        $link = Find-Link $Path
        $before = Read-AccessList $Path
    } catch { return Format-End 2 "cannot be read: $($_.Exception.GetBaseException().Message)" }
    if ($link -cne '') { return Format-End 1 "refused: $link" }
    $denied = @((Read-Sddl $before).Entries | Where-Object { $_.Deny } | ForEach-Object { $_.Sid })
    $decision = Get-HardenedList $before $sid (Find-Token $sid $denied)
    "path:    $Path"
    "account: $Account ($sid)"
    "before:  $before"
    if ($decision.Refusal -cne '') { return Format-End 1 "refused: $($decision.Refusal)" }
    "after:   $($decision.Sddl)"
    foreach ($group in $decision.StillOpen) { "note:    $group keeps its entries; this script takes out Authenticated Users only" }
    foreach ($denial in $decision.StillDenied) { "note:    $denial stays: the account's token does not hold this SID" }
    if (Test-SameList $before $decision.Sddl) { return Format-End 0 'nothing to change' }
    if (-not $Apply) { return Format-End 0 'dry run: nothing was written; -Apply writes the second list' }
    Write-Checked $Path $before $decision.Sddl
}

function Format-End([int]$ExitCode, [string]$Text) {
    $Text
    $ExitCode
}

function Write-Checked([string]$Path, [string]$Before, [string]$After) {
    $problem = 'what was read back is not what was written'
    try { Write-AccessList $Path $After } catch { $problem = $_.Exception.GetBaseException().Message }
    $now = ''
    try { $now = Read-AccessList $Path } catch { $problem = $_.Exception.GetBaseException().Message }
    if (Test-SameList $now $After) { return Format-End 0 'written, and read back as it was written' }
    if (Test-SameList $now $Before) { return Format-End 2 "nothing was changed: $problem" }
    "read:    $now"
    try {
        Write-AccessList $Path $Before
        if (Test-SameList (Read-AccessList $Path) $Before) { return Format-End 2 "the old list was restored: $problem" }
    } catch { $problem += '; ' + $_.Exception.GetBaseException().Message }
    Format-End 2 "THE OLD LIST COULD NOT BE RESTORED ($problem): set the list shown as 'before' by hand"
}

# ---- decisions about text, without access to the directory

# Why a path is refused, or ''.
function Get-PathRefusal([string]$Path) {
    $plain = $Path.Replace('/', '\')
    if ($plain -match '^\\\\[?.]\\') { return "$Path is a device path: give \\server\share\directory or a drive letter's" }
    $plain = $plain.TrimEnd('\')
    if ($plain -match '^\\\\([^\\]+)\\([^\\]+)(\\.+)?\z') {
        $share = $Matches[2]
        $below = if ($Matches.ContainsKey(3)) { $Matches[3].Substring(1) } else { '' }
    } elseif ($plain -match '^[A-Za-z]:(\\.+)?\z') {
        $share = ''
        $below = if ($Matches.ContainsKey(1)) { $Matches[1].Substring(1) } else { '' }
    } else { return "'$Path' is neither \\server\share\directory nor a drive letter's directory" }
    if ($below -ceq '') { return "$Path is the root of a share or drive: its access list decides about everything below" }
    $parts = $below.Split([char]92)
    foreach ($part in $parts) {
        if ($part -cmatch '^\.{0,2}\z' -or $part -match '[:*?"<>|\x00-\x1f]' -or $part -match '[ .]\z') { return "'$part' in $Path is no directory's name" }
    }
    if ($share -match '^[A-Za-z]\$\z' -and $parts.Count -eq 1) { return "$Path is the root of a share, seen through an administrative one" }
    ''
}

# The new access list for $Sddl, as @{ Sddl; Refusal; StillOpen; StillDenied }: exactly one of the first two is not ''.
function Get-HardenedList([string]$Sddl, [string]$AccountSid, $Token) {
    $refuse = { param($why) @{ Sddl = ''; Refusal = $why; StillOpen = @(); StillDenied = @() } }
    if ($AccountSid -notmatch '^S-1-5-21-\d+-\d+-\d+-(\d+)\z' -or [int64]$Matches[1] -lt 1000) {
        return & $refuse "$AccountSid is no account of its own: give one that was made to map the share"
    }
    $list = Read-Sddl $Sddl
    if ($list.Problem -cne '') { return & $refuse $list.Problem }
    $denied = @()
    $allowed = @()
    $refusals = @()
    $stillDenied = @()
    foreach ($entry in $list.Entries) {
        if ($entry.Deny) {
            $denial = "the entry $($entry.Text), which denies $($entry.Sid) the rights 0x$($entry.Mask.ToString('x')),"
            $why = Get-DenialRefusal $entry.Sid $AccountSid $Token
            if ($why -cne '') { $refusals += "$denial would still apply: $why" }
            $denied += $entry
            $stillDenied += $denial
        } elseif (@('S-1-5-11', $AccountSid) -cnotcontains $entry.Sid) { $allowed += $entry }
    }
    if ($refusals.Count -gt 0) { return & $refuse ($refusals -join "`nrefused: ") }
    if (-not (Test-SystemControl $allowed)) { return & $refuse 'SYSTEM would not have full control of the directory, its files and its folders, which Amazon FSx needs' }
    $text = 'D:P' + $(if ($list.AutoInherited) { 'AI' })
    foreach ($entry in $denied + $allowed) { $text += $entry.Own }
    @{
        Sddl = $text + "(A;OICI;0x1301bf;;;$AccountSid)"; Refusal = ''; StillDenied = $stillDenied
        StillOpen = @($allowed | ForEach-Object { Get-BroadName $_.Sid } | Where-Object { $_ } | Select-Object -Unique)
    }
}

# Why a denial for $Sid is refused, or '' if it is known that neither the account's token nor SYSTEM's holds the SID.
# Windows evaluates denials first, so the entry that allows the account Modify would not help against one.
function Get-DenialRefusal([string]$Sid, [string]$AccountSid, $Token) {
    $remove = 'Remove the entry where it was set.'
    $domain = $AccountSid.Substring(0, $AccountSid.LastIndexOf('-'))
    # SYSTEM, Administrators, SERVICE, LOCAL.
    if (@('S-1-5-18', 'S-1-5-32-544', 'S-1-5-6', 'S-1-2-0') -ccontains $Sid) { return "SYSTEM or its services hold this SID, and Amazon FSx needs them. $remove" }
    # Everyone, NETWORK, Authenticated Users, This Organization, Other Organization, Users, NTLM, asserted identities, claims.
    $everyLogon = @(
        'S-1-1-0', 'S-1-5-2', 'S-1-5-11', 'S-1-5-15', 'S-1-5-1000', 'S-1-5-32-545', 'S-1-5-64-10', 'S-1-18-1', 'S-1-18-2'
        'S-1-5-21-0-0-0-496', 'S-1-5-21-0-0-0-497'
    )
    if ($everyLogon -ccontains $Sid) { return "any log-on over SMB can hold this SID. $remove" }
    # CREATOR OWNER, CREATOR GROUP, OWNER RIGHTS.
    if (@('S-1-3-0', 'S-1-3-1', 'S-1-3-4') -ccontains $Sid) { return "this SID stands for the owner of a file, and the account owns the files it creates. $remove" }
    if ($Sid -ceq $AccountSid) { return "this SID is the account. $remove" }
    if ($Sid -ceq "$domain-513") { return "this SID is the account's Domain Users. $remove" }
    # Nobody, DIALUP, BATCH, INTERACTIVE, ANONYMOUS, TERMINAL SERVER USER, REMOTE INTERACTIVE, IUSR, LOCAL and NETWORK SERVICE.
    $neverOverSmb = 'S-1-0-0', 'S-1-5-1', 'S-1-5-3', 'S-1-5-4', 'S-1-5-7', 'S-1-5-13', 'S-1-5-14', 'S-1-5-17', 'S-1-5-19', 'S-1-5-20'
    if ($neverOverSmb -ccontains $Sid) { return '' }
    if ($Sid -cmatch '^S-1-5-32-') { return "this SID is a local group of the file server, whose members this script cannot read. $remove" }
    # Local account, and local account that is an administrator: an account of a directory service is neither.
    $isLocal = @('S-1-5-113', 'S-1-5-114') -ccontains $Sid
    if (-not $isLocal -and $Sid -cnotmatch '^S-1-5-21-') { return "it is not known whether the account's token holds this SID. $remove" }
    if ($Token.Problem -cne '') {
        return "the account's groups cannot be found out ($($Token.Problem)), so it is not known whether its token holds this SID. Run this script " +
            "where a domain controller of the account's domain can be reached, as somebody who may read tokenGroups of $AccountSid. If this is not possible: $remove"
    }
    if ($Token.Groups -ccontains $Sid) { return "the account's token holds this SID, through a group, a nested group or its SID history. $remove" }
    if ($isLocal -or $Sid -cmatch "^$domain-\d+\z" -or $Token.Accounts -ccontains $Sid) { return '' }
    # Groups of another domain, or of the file server, are not among the groups that the account's domain knows.
    "this SID belongs to another domain or machine, and no other account with it was found: whether the account's token holds it is not known. $remove"
}

# What is known about the account's token: @{ Problem; Groups; Accounts }. `Accounts` are those of the denied SIDs that are
# accounts of other domains. The groups of the account are not known if `Problem` is not ''.
function Find-Token([string]$AccountSid, $Denied) {
    $token = @{ Problem = ''; Groups = @(); Accounts = @() }
    if (@($Denied).Count -eq 0) { return $token }
    try {
        $found = Read-Principal $AccountSid
        # Every account has a primary group: no group at all means that this script may not read them.
        if (@($found.Groups).Count -eq 0) { $token.Problem = 'the domain controller shows none' }
        $token.Groups = @($found.Groups) + @($found.History)
    } catch { $token.Problem = $_.Exception.GetBaseException().Message.Trim() }
    if ($token.Problem -cne '') { return $token }
    $domain = $AccountSid.Substring(0, $AccountSid.LastIndexOf('-'))
    foreach ($sid in $Denied) {
        if ($sid -cnotmatch '^S-1-5-21-' -or $sid -cmatch "^$domain-\d+\z") { continue }
        # A SID that is not found stays one of which nothing is known.
        try { if ((Read-Principal $sid).Classes -ccontains 'user') { $token.Accounts += $sid } } catch { continue }
    }
    $token
}

# The name and SID of a group that many accounts are in, or nothing.
function Get-BroadName([string]$Sid) {
    $names = @{
        'S-1-1-0' = 'Everyone'; 'S-1-5-2' = 'NETWORK'; 'S-1-5-7' = 'Anonymous'; 'S-1-5-15' = 'This Organization'
        'S-1-5-32-545' = 'BUILTIN\Users'; 'S-1-5-32-546' = 'BUILTIN\Guests'
    }
    $name = ''
    if ($names.ContainsKey($Sid)) { $name = $names[$Sid] }
    if ($Sid -cmatch '^(S-1-5-21-.*-513|DU)\z') { $name = 'Domain Users' }
    if ($Sid -cmatch '^(S-1-5-21-.*-514|DG)\z') { $name = 'Domain Guests' }
    if ($name -cne '') { "$name ($Sid)" }
}

function Test-SystemControl($Entries) {
    $here = $false
    $files = $false
    $folders = $false
    foreach ($entry in $Entries) {
        if ($entry.Sid -cne 'S-1-5-18' -or -not $entry.Plain) { continue }
        if (-not (($entry.Mask -band 0x10000000) -or ($entry.Mask -band 0x1F01FF) -eq 0x1F01FF)) { continue }
        if ($entry.Flags -cnotcontains 'IO') { $here = $true }
        if ($entry.Flags -ccontains 'NP') { continue }
        if ($entry.Flags -ccontains 'OI') { $files = $true }
        if ($entry.Flags -ccontains 'CI') { $folders = $true }
    }
    $here -and $files -and $folders
}

# Whether two texts mean the same entries in the same order, in any spelling.
function Test-SameList([string]$One, [string]$Other) {
    $first = Read-Sddl $One
    $second = Read-Sddl $Other
    if ($first.Problem -cne '' -or $second.Problem -cne '' -or $first.Protected -ne $second.Protected) { return $false }
    (@($first.Entries | ForEach-Object { $_.Normal }) -join '') -ceq (@($second.Entries | ForEach-Object { $_.Normal }) -join '')
}

# The access list (DACL) of an SDDL text: @{ Problem; Protected; AutoInherited; Entries }.
# Source: "Security Descriptor String Format" and "ACE Strings" in Microsoft's documentation.
function Read-Sddl([string]$Sddl) {
    $list = @{ Problem = ''; Protected = $false; AutoInherited = $false; Entries = @() }
    # Owner and group may come before the list and audit entries after it. No parenthesis comes before the list.
    $start = if ($Sddl -cmatch '^(O:[^()]*?)?(G:[^()]*?)?D:') { $Matches[0].Length } else { -1 }
    if ($start -lt 0) { $list.Problem = 'it has no access list of its own'; return $list }
    $rest = $Sddl.Substring($start)
    $flags = [regex]::Match($rest, '^(P|AR|AI|NO_ACCESS_CONTROL)*').Value
    if ($flags -cmatch 'NO_ACCESS_CONTROL') { $list.Problem = 'it has no access list: everybody may do everything'; return $list }
    $list.Protected = $flags -cmatch 'P'
    $list.AutoInherited = $flags -cmatch 'AI'
    $at = $flags.Length
    while ($at -lt $rest.Length -and $rest[$at] -ceq '(') {
        $end = Find-EntryEnd $rest $at
        if ($end -lt 0) { $list.Problem = "an entry does not end: $($rest.Substring($at))"; return $list }
        $entry = Read-Entry $rest.Substring($at, $end - $at + 1)
        if ($null -eq $entry) { $list.Problem = "the entry $($rest.Substring($at, $end - $at + 1)) cannot be read"; return $list }
        $list.Entries += $entry
        $at = $end + 1
    }
    if ($at -lt $rest.Length -and $rest.Substring($at) -cnotmatch '^S:') { $list.Problem = "'$($rest.Substring($at))' cannot be read" }
    $list
}

# Conditional entries contain parentheses, and quoted texts with any characters.
function Find-EntryEnd([string]$Text, [int]$Start) {
    $depth = 0
    $quoted = $false
    for ($i = $Start; $i -lt $Text.Length; $i++) {
        if ($Text[$i] -ceq '"') { $quoted = -not $quoted }
        elseif ($quoted) { continue }
        elseif ($Text[$i] -ceq '(') { $depth++ }
        elseif ($Text[$i] -ceq ')') { $depth--; if ($depth -eq 0) { return $i } }
    }
    -1
}

# One entry, or nothing if it cannot be read. `Own` is its text as an explicit entry.
function Read-Entry([string]$Text) {
    $fields = $Text.Substring(1, $Text.Length - 2).Split([char[]]';', 7)
    if ($fields.Count -lt 6 -or @('A', 'D', 'OA', 'OD', 'XA', 'XD', 'ZA') -cnotcontains $fields[0]) { return }
    if (($fields.Count -eq 7) -ne (@('XA', 'XD', 'ZA') -ccontains $fields[0])) { return }
    $flags = @([regex]::Matches($fields[1], '..') | ForEach-Object { $_.Value })
    if ($fields[1].Length % 2 -ne 0 -or @($flags | Where-Object { @('OI', 'CI', 'NP', 'IO', 'ID') -cnotcontains $_ }).Count -gt 0) { return }
    $mask = Read-Rights $fields[2]
    if ($mask -lt 0) { return }
    $names = @{
        SY = 'S-1-5-18'; AU = 'S-1-5-11'; BA = 'S-1-5-32-544'; BU = 'S-1-5-32-545'; WD = 'S-1-1-0'; CO = 'S-1-3-0'; CG = 'S-1-3-1'; OW = 'S-1-3-4'
        AN = 'S-1-5-7'; NU = 'S-1-5-2'; IU = 'S-1-5-4'; LS = 'S-1-5-19'; NS = 'S-1-5-20'
    }
    $sid = $fields[5].ToUpperInvariant()
    if ($names.ContainsKey($sid)) { $sid = $names[$sid] } elseif ($sid -cmatch '^[A-Z]{2}\z') { $sid = Resolve-Alias $sid }
    if ($sid -cnotmatch '^(S-1-[0-9-]+|[A-Z]{2})\z') { return }
    $own = @($flags | Where-Object { $_ -cne 'ID' })
    $tail = if ($fields.Count -eq 7) { ';' + $fields[6] } else { '' }
    @{
        Text = $Text; Deny = @('D', 'OD', 'XD') -ccontains $fields[0]; Plain = @('A', 'D') -ccontains $fields[0]; Flags = $flags; Mask = $mask; Sid = $sid
        Own = "($($fields[0]);$($own -join '');$($fields[2]);$($fields[3]);$($fields[4]);$($fields[5])$tail)"
        Normal = "($($fields[0]);$(@($flags | Sort-Object) -join '');$mask;$($fields[3]);$($fields[4]);$sid$tail)"
    }
}

# The access mask of a rights field, or -1 if it cannot be read.
function Read-Rights([string]$Text) {
    if ($Text -cmatch '^0[xX]([0-9a-fA-F]{1,8})\z') { return [Convert]::ToInt64($Matches[1], 16) }
    if ($Text -cmatch '^[1-9][0-9]{0,9}\z') { return [int64]$Text }
    $known = @{
        GA = 0x10000000; GX = 0x20000000; GW = 0x40000000; GR = 2147483648
        RC = 0x20000; SD = 0x10000; WD = 0x40000; WO = 0x80000; FA = 0x1F01FF; FR = 0x120089; FW = 0x120116; FX = 0x1200A0
        CC = 1; DC = 2; LC = 4; SW = 8; RP = 16; WP = 32; DT = 64; LO = 128; CR = 256
    }
    [int64]$mask = 0
    foreach ($pair in [regex]::Matches($Text, '..?')) {
        if (-not $known.ContainsKey($pair.Value)) { return -1 }
        $mask = $mask -bor $known[$pair.Value]
    }
    $mask
}

# ---- access to the directory, without decisions

function Resolve-AccountSid([string]$Account) {
    if ($Account -ceq '') { throw '-Account is missing: DOMAIN\user or a SID' }
    if ($Account -match '^S-1-') { return (New-Object Security.Principal.SecurityIdentifier $Account).Value }
    (New-Object Security.Principal.NTAccount $Account).Translate([Security.Principal.SecurityIdentifier]).Value
}

# The SID of a two-letter name, or the name if Windows does not know it. Windows writes the Domain Users of this machine's
# domain as DU, for example.
function Resolve-Alias([string]$Alias) {
    try { (New-Object Security.Principal.SecurityIdentifier $Alias).Value } catch { $Alias }
}

# An account or a group, as its domain's controller knows it: @{ Classes; Groups; History }. `Groups` has the SIDs of its
# groups, nested ones included, and `History` those it had in other domains.
function Read-Principal([string]$Sid) {
    $domain = (New-Object Security.Principal.SecurityIdentifier $Sid).Translate([Security.Principal.NTAccount]).Value.Split([char]92)[0]
    $entry = [ADSI]"LDAP://$domain/<SID=$Sid>"
    $entry.RefreshCache([string[]]@('objectClass', 'objectSid', 'sIDHistory', 'tokenGroups'))
    $sids = @{}
    foreach ($name in 'objectSid', 'sIDHistory', 'tokenGroups') {
        $sids[$name] = @(foreach ($bytes in $entry.Properties[$name]) { (New-Object Security.Principal.SecurityIdentifier ([byte[]]$bytes), 0).Value })
    }
    # An object can also be found by a SID it had in another domain.
    if ($sids.objectSid -cnotcontains $Sid) { throw "$Sid is not the present SID of what was found" }
    @{ Classes = @($entry.Properties['objectClass']); Groups = $sids.tokenGroups; History = $sids.sIDHistory }
}

# Why the path is refused: a part of it is a link, or it is not a directory; '' if neither.
function Find-Link([string]$Path) {
    $root = if ($Path.StartsWith('\\')) { 4 } else { 1 }
    $parts = $Path.Split([char]92)
    for ($count = $parts.Count; $count -gt $root; $count--) {
        $ancestor = $parts[0..($count - 1)] -join '\'
        $attributes = Read-Attribute $ancestor
        if ($attributes -band [int][IO.FileAttributes]::ReparsePoint) { return "$ancestor is a reparse point: give the path of what it points to" }
        if (-not ($attributes -band [int][IO.FileAttributes]::Directory)) { return "$ancestor is not a directory" }
    }
    ''
}

function Read-Attribute([string]$Path) { [int][IO.File]::GetAttributes($Path) }

function Read-AccessList([string]$Path) {
    (New-Object Security.AccessControl.DirectorySecurity $Path, 'Access').GetSecurityDescriptorSddlForm('Access')
}

# Set-Acl would also write owner and audit entries, which over SMB fails or changes more than intended.
function Write-AccessList([string]$Path, [string]$Sddl) {
    $security = New-Object Security.AccessControl.DirectorySecurity
    $security.SetSecurityDescriptorSddlForm($Sddl, 'Access')
    (New-Object IO.DirectoryInfo $Path).SetAccessControl($security)
}

if ($MyInvocation.InvocationName -cne '.') {
    $output = @(Invoke-Hardening $Path $Account $Apply.IsPresent)
    $output | Select-Object -First ($output.Count - 1)
    exit $output[-1]
}
