# The tests of harden-share-directory.ps1: its decisions by table (harden-cases.json), and its effect on a modelled
# directory with a text as access list, because .NET's security types work on Windows only.

function Get-HardenTests {
    $hardenTable = ConvertFrom-Json -AsHashtable ([IO.File]::ReadAllText([IO.Path]::Combine($bench.Here, 'harden-cases.json')))
    $harden = [IO.Path]::Combine($bench.Here, '..', 'harden-share-directory.ps1')
    $service = $hardenTable.account
    $domain = $service.Substring(0, $service.LastIndexOf('-'))
    # What the modelled account is in: Domain Users, a group, a group around that one, a group and a past of other domains.
    $groups = "$domain-513", "$domain-1200", "$domain-1201", 'S-1-5-21-4-5-6-1500', 'S-1-5-21-7-8-9-1300'

    @{ Name = 'harden: every access list of the table becomes what it should, or is refused'; Body = {
        . $harden
        function Resolve-Alias([string]$Alias) { if ($Alias -ceq 'DU') { "$domain-513" } else { $Alias } }
        foreach ($row in $hardenTable.decisions) {
            $sid = if ($row.ContainsKey('account')) { $row['account'] } else { $service }
            $token = @{ Problem = [string]$row['unknown']; Groups = $groups; Accounts = @('S-1-5-21-1-2-3-1300') }
            if ($row['groups']) { $token.Groups = $row['groups'] }
            if ($row['unknown']) { $token.Groups = $token.Accounts = @() }
            $got = Get-HardenedList $row['sddl'] $sid $token
            if ($row['refused']) {
                if ($got.Sddl -cne '' -or -not $got.Refusal.Contains($row['refused'])) { "$($row['name']): '$($got.Sddl)', refused with '$($got.Refusal)'" }
                continue
            }
            if ($got.Refusal -cne '' -or $got.Sddl -cne $row['becomes']) { "$($row['name']): became '$($got.Sddl)', refused with '$($got.Refusal)'" }
            if ((@($got.StillOpen) -join ',') -cne (@($row['open'] | Where-Object { $_ }) -join ',')) { "$($row['name']): points at $($got.StillOpen)" }
            $denied = @($row['denied'] | Where-Object { $_ } | ForEach-Object { "the entry $_," })
            if ((@($got.StillDenied) -join ' ') -cne ($denied -join ' ')) { "$($row['name']): lists as denied $($got.StillDenied)" }
            $again = Get-HardenedList $got.Sddl $sid $token
            if ($again.Sddl -cne $got.Sddl) { "$($row['name']): a second time it became '$($again.Sddl)'" }
            if ((Test-SameList $row['sddl'] $got.Sddl) -ne [bool]$row['same']) { "$($row['name']): change is not seen as such" }
        }
    }.GetNewClosure() }

    @{ Name = 'harden: what the domain controller shows of the account decides what is known about its token'; Body = {
        . $harden
        $known = @{
            $service = @{ Classes = @('top', 'user'); Groups = @($groups | Select-Object -First 4); History = @($groups[4]) }
            'S-1-5-21-1-2-3-1300' = @{ Classes = @('top', 'person', 'user'); Groups = @('S-1-5-21-1-2-3-513'); History = @() }
            'S-1-5-21-1-2-3-1400' = @{ Classes = @('top', 'group'); Groups = @(); History = @() }
        }
        $asked = New-Object Collections.ArrayList
        function Read-Principal([string]$Sid) {
            [void]$asked.Add($Sid)
            if (-not $known.ContainsKey($Sid)) { throw "nobody is $Sid`r`n" }
            $known[$Sid]
        }
        $got = Find-Token $service @()
        if ($asked.Count -ne 0 -or $got.Problem -cne '') { "asked without a denial: $asked $($got.Problem)" }
        $got = Find-Token $service @('S-1-5-2', "$domain-1300", 'S-1-5-21-1-2-3-1300', 'S-1-5-21-1-2-3-1400', 'S-1-5-21-1-2-3-1500')
        if ($got.Problem -cne '' -or ($got.Groups -join ' ') -cne ($groups -join ' ')) { "groups: $($got.Problem) $($got.Groups)" }
        if (($got.Accounts -join ' ') -cne 'S-1-5-21-1-2-3-1300') { "accounts: $($got.Accounts)" }
        if (($asked -join ' ') -cne "$service S-1-5-21-1-2-3-1300 S-1-5-21-1-2-3-1400 S-1-5-21-1-2-3-1500") { "asked for $asked" }
        $known[$service].Groups = @()
        $got = Find-Token $service @('S-1-5-21-1-2-3-1300')
        if ($got.Problem -cne 'the domain controller shows none' -or $got.Accounts.Count -ne 0) { "without groups: $($got.Problem) $($got.Accounts)" }
        $known.Remove($service)
        $got = Find-Token $service @('S-1-5-21-1-2-3-1300')
        if ($got.Problem -cne "nobody is $service") { "not found: $($got.Problem)" }
    }.GetNewClosure() }

    @{ Name = 'harden: every path of the table is taken or refused'; Body = {
        . $harden
        foreach ($row in $hardenTable.paths) {
            $got = Get-PathRefusal $row['path']
            if ($row['refused'] -ceq '') { if ($got -cne '') { "'$($row['path'])' was refused: $got" } }
            elseif (-not $got.Contains($row['refused'])) { "'$($row['path'])' was refused with '$got'" }
        }
    }.GetNewClosure() }

    @{ Name = 'harden: lists that Windows spells otherwise are the same, others are not'; Body = {
        . $harden
        $one = "D:PAI(A;OICI;FA;;;SY)(A;OICI;0x1301bf;;;$service)"
        foreach ($other in "D:P(A;CIOI;0x1f01ff;;;S-1-5-18)(A;OICI;0x1301BF;;;$service)", "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;1245631;;;$service)") { if (-not (Test-SameList $one $other)) { "not the same: $other" } }
        foreach ($other in "D:AI(A;OICI;FA;;;SY)(A;OICI;0x1301bf;;;$service)", "D:PAI(A;OICI;0x1301bf;;;$service)(A;OICI;FA;;;SY)", 'D:PAI(A;OICI;FA;;;SY)', '', "D:PAI(A;OICI;FA;;;SY)(A;CI;0x1301bf;;;$service)") { if (Test-SameList $one $other) { "the same: $other" } }
    }.GetNewClosure() }

    @{ Name = 'harden: a link on the way, or a file, is refused'; Body = {
        . $harden
        $folder = 16
        $link = 1024
        function Read-Attribute([string]$Path) { if ($tree.ContainsKey($Path)) { $tree[$Path] } else { throw "no such path: $Path" } }
        $tree = @{ '\\fs\share\a' = $folder; '\\fs\share\a\b' = $folder; 'G:\a' = $folder }
        foreach ($plain in '\\fs\share\a\b', 'G:\a') { if ((Find-Link $plain) -cne '') { "$plain was refused" } }
        $tree['\\fs\share\a'] = $folder + $link
        if (-not (Find-Link '\\fs\share\a\b').Contains('\\fs\share\a is a reparse point')) { 'a link above was followed' }
        $tree['\\fs\share\a'] = 32
        if (-not (Find-Link '\\fs\share\a').Contains('not a directory')) { 'a file was taken' }
    }.GetNewClosure() }

    # name, arguments, behaviour of the directory and of the domain controller, exit code, output, writes
    $before = 'D:AI(A;OICIID;FA;;;SY)(A;OICIID;0x1301bf;;;AU)'
    $after = "D:PAI(A;OICI;FA;;;SY)(A;OICI;0x1301bf;;;$service)"
    $rest = '(A;OICIID;FA;;;SY)(A;OICIID;0x1301bf;;;AU)'
    $directory = '\\fs\share\app'
    $flows = @(
        @{ name = 'a dry run shows both lists and writes nothing'; apply = $false; exit = 0; says = "before:  $before", "after:   $after", 'dry run'; writes = @() }
        @{ name = 'it writes once'; apply = $true; exit = 0; says = "before:  $before", "after:   $after", 'written'; writes = @($after); left = $after }
        @{ name = 'nothing to change is not written'; apply = $true; start = $after; exit = 0; says = , 'nothing to change'; writes = @() }
        @{ name = 'a refused result is not written'; apply = $true; start = 'D:(A;OICI;FA;;;AU)'; exit = 1; says = 'before:  D:(A;OICI;FA;;;AU)', 'refused: SYSTEM'; writes = @() }
        @{ name = 'a denial for a nested group of the account is refused'; apply = $true; start = "D:AI(D;ID;FW;;;$domain-1201)$rest"; exit = 1; says = "refused: the entry (D;ID;FW;;;$domain-1201)", 'Remove the entry'; writes = @() }
        @{ name = 'a denial is refused where nobody shows the groups'; apply = $true; mute = $true; start = "D:AI(D;ID;FW;;;$domain-1300)$rest"; exit = 1; says = 'refused: the entry', 'cannot be found out (no controller)', "may read tokenGroups of $service"; writes = @() }
        @{ name = 'a denial for another user stays and is listed'; apply = $true; start = "D:AI(D;ID;FW;;;$domain-1300)$rest"; exit = 0; says = "note:    the entry (D;ID;FW;;;$domain-1300)", 'stays'; writes = @($after.Replace('PAI', "PAI(D;;FW;;;$domain-1300)")) }
        @{ name = 'Domain Users are named among what is still open'; apply = $true; start = "D:AI(A;ID;FR;;;$domain-513)$rest"; exit = 0; says = , "note:    Domain Users ($domain-513) keeps its entries"; writes = @($after.Replace('PAI', "PAI(A;;FR;;;$domain-513)")) }
        @{ name = 'a root is refused before it is looked at'; apply = $true; path = '\\fs\share'; exit = 1; says = , 'root of a share'; writes = @(); reads = 0 }
        @{ name = 'a directory that cannot be read'; apply = $true; denied = $true; exit = 2; says = , 'cannot be read'; writes = @() }
        @{ name = 'a list that comes back otherwise is put back'; apply = $true; mangle = $true; exit = 2; says = , 'the old list was restored'; writes = @($after, $before); left = $before }
        @{ name = 'a write that fails and changes nothing is said so'; apply = $true; fail = $true; exit = 2; says = 'nothing was changed', 'Attempted to perform'; writes = @($after); left = $before }
        @{ name = 'a list that cannot be put back is said loudly'; apply = $true; mangle = $true; stuck = $true; exit = 2; says = 'COULD NOT BE RESTORED', "before:  $before"; writes = @($after, $before) }
    )
    foreach ($flow in $flows) {
        @{ Name = "harden: $($flow.name)"; Body = {
            . $harden
            Set-StrictMode -Off
            $disk = @{ list = $(if ($flow.start) { $flow.start } else { $before }); writes = @(); reads = 0 }
            function Resolve-AccountSid([string]$Account) { $hardenTable.account }
            function Read-Principal([string]$Sid) {
                if ($flow.mute) { throw 'no controller' }
                @{ Classes = @('user'); Groups = $groups; History = @() }
            }
            function Read-Attribute([string]$Path) { 16 }
            function Read-AccessList([string]$Path) {
                $disk.reads++
                if ($flow.denied) { throw (New-Object UnauthorizedAccessException) }
                $disk.list
            }
            function Write-AccessList([string]$Path, [string]$Sddl) {
                $disk.writes += $Sddl
                if ($flow.fail) { throw (New-Object UnauthorizedAccessException) }
                if ($flow.stuck -and $disk.writes.Count -gt 1) { return }
                $disk.list = if ($flow.mangle -and $disk.writes.Count -eq 1) { 'D:P' } else { $Sddl }
            }
            $output = @(Invoke-Hardening $(if ($flow.path) { $flow.path } else { $directory }) 'CORP\svc-ecs' $flow.apply)
            if ($output[-1] -ne $flow.exit) { "ended with $($output[-1])" }
            $text = $output -join "`n"
            foreach ($words in $flow.says) { if (-not $text.Contains($words)) { "does not say '$words': $text" } }
            if (($disk.writes -join ' | ') -cne ($flow.writes -join ' | ')) { "wrote $($disk.writes -join ' | ')" }
            if ($flow.left -and $disk.list -cne $flow.left) { "left $($disk.list)" }
            if ($null -ne $flow.reads -and $disk.reads -ne $flow.reads) { "read $($disk.reads) times" }
        }.GetNewClosure() }
    }

    @{ Name = 'harden: as a file it ends with its exit code, and says why'; Body = {
        $start = New-Object Diagnostics.ProcessStartInfo
        $start.FileName = if ($env:PWSH) { $env:PWSH } else { 'pwsh' }
        foreach ($argument in '-NoProfile', '-File', $harden, '-Path', '\\fs\share', '-Account', 'CORP\svc-ecs') { $start.ArgumentList.Add($argument) }
        $start.RedirectStandardOutput = $true
        $process = [Diagnostics.Process]::Start($start)
        $out = $process.StandardOutput.ReadToEnd()
        $process.WaitForExit()
        if ($process.ExitCode -ne 1 -or $out -notmatch 'refused: \\\\fs\\share is the root of a share') { "ended with $($process.ExitCode): $out" }
    }.GetNewClosure() }
}
