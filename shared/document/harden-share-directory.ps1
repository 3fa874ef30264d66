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
# unusable. After writing it reads the list again, and restores the old one if the two differ.
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
    $decision = Get-HardenedList $before $sid
    "path:    $Path"
    "account: $Account ($sid)"
    "before:  $before"
    if ($decision.Refusal -cne '') { return Format-End 1 "refused: $($decision.Refusal)" }
    "after:   $($decision.Sddl)"
    foreach ($group in $decision.StillOpen) { "note:    $group keeps its entries; this script takes out Authenticated Users only" }
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

# The new access list for $Sddl, as @{ Sddl; Refusal; StillOpen }: exactly one of the first two is not ''.
function Get-HardenedList([string]$Sddl, [string]$AccountSid) {
    $refuse = { param($why) @{ Sddl = ''; Refusal = $why; StillOpen = @() } }
    if ($AccountSid -notmatch '^S-1-5-21-\d+-\d+-\d+-(\d+)\z' -or [int64]$Matches[1] -lt 1000) {
        return & $refuse "$AccountSid is no account of its own: give one that was made to map the share"
    }
    $list = Read-Sddl $Sddl
    if ($list.Problem -cne '') { return & $refuse $list.Problem }
    $denied = @()
    $allowed = @()
    foreach ($entry in $list.Entries) {
        if ($entry.Deny) {
            # The entries of SYSTEM have the first four of these, too.
            if (@('S-1-1-0', 'S-1-5-11', 'S-1-5-18', 'S-1-5-32-544', $AccountSid) -ccontains $entry.Sid) {
                return & $refuse "the entry $($entry.Text) denies: remove it by hand if that is meant, it would still hold"
            }
            $denied += $entry
        } elseif (@('S-1-5-11', $AccountSid) -cnotcontains $entry.Sid) { $allowed += $entry }
    }
    if (-not (Test-SystemControl $allowed)) { return & $refuse 'SYSTEM would not have full control of the directory, its files and its folders, which Amazon FSx needs' }
    $text = 'D:P' + $(if ($list.AutoInherited) { 'AI' })
    foreach ($entry in $denied + $allowed) { $text += $entry.Own }
    $open = @{ 'S-1-1-0' = 'Everyone'; 'S-1-5-32-545' = 'BUILTIN\Users'; 'S-1-5-7' = 'Anonymous' }
    @{
        Sddl = $text + "(A;OICI;0x1301bf;;;$AccountSid)"; Refusal = ''
        StillOpen = @($allowed | Where-Object { $open.ContainsKey($_.Sid) } | ForEach-Object { $open[$_.Sid] } | Select-Object -Unique)
    }
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
    if ($names.ContainsKey($sid)) { $sid = $names[$sid] }
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
