# Tests of single functions that the cases cannot reach: those that the modelled host replaces, the time limit, and the
# values passed to cmdlets. The body of a test gets the script's path and returns the problems.

# Stand-ins for the clients of Connect-AnyAddress: one `refuses`, one `answers`, one does so just after it was looked at (`late`),
# one `never` does.
function New-StubClients([string[]]$Kinds) {
    foreach ($kind in $Kinds) {
        $source = [Threading.Tasks.TaskCompletionSource[bool]]::new()
        if ($kind -ceq 'refuses') { $source.SetException([IO.IOException]::new('refused')) }
        if ($kind -ceq 'answers') { $source.SetResult($true) }
        $client = [pscustomobject]@{ Kind = $kind; Source = $source; Looks = 0; Closed = 0 }
        Add-Member -InputObject $client -MemberType ScriptProperty -Name Connected -Value {
            $this.Looks += 1
            $this.Source.Task.IsCompletedSuccessfully
            if ($this.Kind -ceq 'late') { [void]$this.Source.TrySetResult($true) }
        }
        Add-Member -InputObject $client -MemberType ScriptMethod -Name ConnectAsync -Value { $this.Source.Task }
        Add-Member -InputObject $client -MemberType ScriptMethod -Name Close -Value { $this.Closed += 1 }
        $client
    }
}

function Get-UnitTests {
    @{ Name = 'dot-sourcing the script runs nothing'; Body = {
        param($Script)
        $output = @(& { . $Script } *>&1)
        if ($output.Count -gt 0) { "it wrote $output" }
    } }

    @{ Name = 'the mutex is the host''s, one for each letter'; Body = {
        param($Script)
        . $Script
        if ((Get-MutexName 'G:') -cne 'Global\ecs-smb-mapper-G') { "it is $(Get-MutexName 'G:')" }
    } }

    @{ Name = 'the mutex is held until the run ends, and then given up'; Body = {
        param($Script)
        . $Script
        $script:mutexName = 'Global\smb-bench-' + [guid]::NewGuid().ToString('N')
        function Get-MutexName { $script:mutexName }
        # Whether another thread can take it.
        $script:isFree = {
            $shell = [powershell]::Create().AddScript({ param($name) $mutex = New-Object Threading.Mutex $false, $name; $is = $mutex.WaitOne(0); if ($is) { $mutex.ReleaseMutex() }; $is })
            $shell.AddArgument($script:mutexName).Invoke()[0]
        }
        function Resolve-Mapping { $script:during = & $script:isFree; Stop-Run 'dns' 'dns' 'x' }
        $result = Invoke-MapShare 'check' (ConvertTo-EncodedSettings $null) $bench.Limits
        if ($result.ExitCode -ne 0 -or $script:during -ne $false) { "it was free while the run went on: $($result.Line)" }
        if ((& $script:isFree) -ne $true) { 'it is still held' }
        $mutex = Enter-Mutex @{ Settings = @{ Drive = 'G:' }; Limits = $bench.Limits }
        if ($mutex -isnot [Threading.Mutex]) { 'nobody keeps it' } else { $mutex.ReleaseMutex() }
    } }

    @{ Name = 'the first entry of a real directory, of an empty one and of none'; Body = {
        param($Script)
        . $Script
        $folder = [IO.Path]::Combine($bench.Scratch, 'root')
        [void][IO.Directory]::CreateDirectory($folder)
        if ($null -ne (Read-FirstEntry $folder)) { 'an empty directory gave something' }
        [IO.File]::WriteAllText([IO.Path]::Combine($folder, 'file'), 'x')
        if ($null -ne (Read-FirstEntry $folder)) { 'a directory gave something' }
        try { Read-FirstEntry ([IO.Path]::Combine($folder, 'missing')); 'a missing directory was readable' }
        catch { if ((Get-ErrorCause $_) -cne '3') { "a missing directory gave $(Get-ErrorCause $_)" } }
    } }

    @{ Name = 'a directory is read, not only opened, and closed again'; Body = {
        param($Script)
        . $Script
        # Reading changes the time of the last access, where the file system keeps it.
        $times = foreach ($read in { param($path) [IO.Directory]::GetFiles($path) }, { param($path) Read-FirstEntry $path }) {
            $folder = [IO.Path]::Combine($bench.Scratch, [guid]::NewGuid().ToString('N'))
            [void][IO.Directory]::CreateDirectory($folder)
            foreach ($name in 'one', 'two') { [IO.File]::WriteAllText([IO.Path]::Combine($folder, $name), 'x') }
            [IO.Directory]::SetLastAccessTimeUtc($folder, [datetime]::new(2001, 1, 1))
            $null = & $read $folder
            [IO.Directory]::GetLastAccessTimeUtc($folder).Year
        }
        if ($times[0] -ne 2001 -and $times[1] -eq 2001) { 'it was not read' }
        if (-not [IO.Directory]::Exists('/proc/self/fd')) { return }
        $open = foreach ($link in [IO.Directory]::GetFileSystemEntries('/proc/self/fd')) { try { [IO.File]::ResolveLinkTarget($link, $false).FullName } catch { continue } }
        if ($open -ccontains $folder) { 'it is still open' }
    } }

    @{ Name = 'a real port: the first address that answers is enough'; Body = {
        param($Script)
        . $Script
        $listener = New-Object Net.Sockets.TcpListener ([Net.IPAddress]::Loopback), 0
        $listener.Start()
        $port = $listener.LocalEndpoint.Port
        $clock = [Diagnostics.Stopwatch]::StartNew()
        if ((Connect-AnyAddress @('127.0.0.1') $port 5) -ne $true) { 'an open port was not found' }
        # 192.0.2.0/24 is reserved for documentation: no host answers.
        if ((Connect-AnyAddress @('192.0.2.1', '127.0.0.1') $port 5) -ne $true) { 'the second address was not tried' }
        if ($clock.Elapsed.TotalSeconds -gt 4) { 'one address was waited for before the other' }
        $listener.Stop()
        if ((Connect-AnyAddress @('127.0.0.1') $port 5) -ne $false) { 'a shut port was open' }
        $clock.Restart()
        if ((Connect-AnyAddress @('192.0.2.1') 445 1) -ne $false) { 'a reserved address answered' }
        if ($clock.Elapsed.TotalSeconds -gt 3) { "a second became $($clock.Elapsed.TotalSeconds)" }
    } }

    @{ Name = 'an address that answers while the others are looked at is not lost'; Body = {
        param($Script)
        . $Script
        $script:clients = @(New-StubClients 'refuses', 'late')
        $script:made = 0
        function New-Object { $script:made += 1; $script:clients[$script:made - 1] }
        if ((Connect-AnyAddress @('192.0.2.1', '192.0.2.2') 445 5) -ne $true) { 'the second address was lost' }
    } }

    @{ Name = 'addresses are waited for until one answers, all refuse or the time is over, and then left'; Body = {
        param($Script)
        . $Script
        function New-Object { $script:made += 1; $script:clients[$script:made - 1] }
        # the clients, whether one is connected, whether the whole time is waited for
        foreach ($row in @(@('never'), $false, $true), @(@('refuses', 'never'), $false, $true), @(@('refuses', 'refuses'), $false, $false), @(@('never', 'answers'), $true, $false)) {
            $script:clients = @(New-StubClients $row[0])
            $script:made = 0
            $limit = if ($row[2]) { 0.5 } else { 5 }
            $clock = [Diagnostics.Stopwatch]::StartNew()
            $is = Connect-AnyAddress @($row[0] | ForEach-Object { '192.0.2.1' }) 445 $limit
            $seconds = $clock.Elapsed.TotalSeconds
            if ($is -ne $row[1]) { "$($row[0]) gave $is" }
            if ($seconds -gt 3 -or ($row[2] -and $seconds -lt 0.4)) { "$($row[0]) took $seconds s" }
            foreach ($client in $script:clients) {
                if ($client.Closed -ne 1) { "one of $($row[0]) was closed $($client.Closed) times" }
                if ($client.Looks -gt 10) { "one of $($row[0]) was looked at $($client.Looks) times" }
            }
        }
    } }

    @{ Name = 'a port is tried until its time is over, with the time that is left'; Body = {
        param($Script)
        . $Script
        function Wait-Pause([hashtable]$Run, [double]$Seconds) { $Run.Clock.Elapsed.TotalSeconds += $Seconds }
        function Invoke-WithTimeLimit([hashtable]$Run, [double]$Seconds, [string]$Function, [object[]]$Arguments) {
            $script:calls += "$Seconds $($Arguments[1]) $($Arguments[2])"
            @{ Hung = $false; Error = $null; Value = @($false); Within = 'within 1 s' }
        }
        $script:calls = @()
        $run = @{ Limits = @{ port = 3; pause = 1 }; Clock = @{ Elapsed = @{ TotalSeconds = 100 } } }
        try { Wait-ForPort $run @('192.0.2.1'); 'it was open' } catch { if ($_.TargetObject.Cause -cne 'port-445') { "it gave $_" } }
        if (($script:calls -join ', ') -cne '4 445 3, 3 445 2, 2 445 1, 1.05 445 0.05') { "the tries had $($script:calls -join ', ')" }
    } }

    @{ Name = 'a pause ends with the time of the script'; Body = {
        param($Script)
        . $Script
        function Get-TimeLeft { $script:left }
        function Start-Sleep([int]$Milliseconds) { $script:slept += $Milliseconds }
        # the pause, the time that is left, the milliseconds
        foreach ($row in @(2, 100, '2000'), @(0.5, 100, '500'), @(2, 1, '1000'), @(2, 0, ''), @(2, -5, ''), @(0, 100, '')) {
            $script:left, $script:slept = $row[1], @()
            Wait-Pause @{} $row[0]
            if (($script:slept -join ' ') -cne $row[2]) { "of $($row[0]) s with $($row[1]) left it slept $($script:slept) ms" }
        }
    } }

    @{ Name = 'a time limit keeps its runspace, and leaves one that hangs'; Body = {
        param($Script)
        . $Script
        function Set-Note { $global:note = $args[0] }
        function Get-Note { $global:note; $args.Count }
        function Wait-Long { [Threading.Thread]::Sleep(6000) }
        $run = @{ Worker = $null; Limits = @{ script = 60 }; Clock = [Diagnostics.Stopwatch]::StartNew() }
        $null = Invoke-WithTimeLimit $run 10 'Set-Note' @('kept')
        $answer = Invoke-WithTimeLimit $run 10 'Get-Note'
        if (($answer.Value -join ' ') -cne 'kept 0') { "the runspace was not kept: $($answer.Value)" }
        $hung = Invoke-WithTimeLimit $run 0.32 'Wait-Long'
        if (-not $hung.Hung -or $hung.Value.Count -ne 0 -or $hung.Within -cne 'within 0.3 s') { "a hang was not seen: $($hung.Within)" }
        if ($run.Clock.Elapsed.TotalSeconds -gt 5) { 'the hang was waited for' }
        $answer = Invoke-WithTimeLimit $run 10 'Get-Note'
        if ($answer.Hung -or "$($answer.Value)" -match 'kept') { 'the runspace of a hang was used again' }
    } }

    @{ Name = 'a time limit keeps the error record, and what an exception leaves undone'; Body = {
        param($Script)
        . $Script
        function Stop-Deep { Get-Item -LiteralPath '/no/such/path' -ErrorAction Stop }
        function Stop-Method { [void][int]::Parse('x'); $global:went = 'on' }
        function Show-Went { "went $global:went" }
        $run = @{ Worker = $null; Limits = @{ script = 60 }; Clock = [Diagnostics.Stopwatch]::StartNew() }
        $answer = Invoke-WithTimeLimit $run 10 'Stop-Deep'
        if ($answer.Error.FullyQualifiedErrorId -notmatch '^PathNotFound') { "the id became $($answer.Error.FullyQualifiedErrorId)" }
        $answer = Invoke-WithTimeLimit $run 10 'Stop-Method'
        if ($answer.Error.Exception.GetBaseException() -isnot [FormatException]) { "the exception became $($answer.Error)" }
        $answer = Invoke-WithTimeLimit $run 10 'Show-Went'
        if ("$($answer.Value)" -cne 'went ') { 'the statement after an exception ran' }
    } }

    @{ Name = 'JSON text is ASCII, cut at its limit and never inside a character'; Body = {
        param($Script)
        . $Script
        $table = @(
            @('plain', 99, 'plain'), @('', 99, ''), @('a"b\c', 99, 'a\"b\\c'), @("tab`tline`n", 99, 'tab\u0009line\u000a'),
            @([string][char]0xe9, 99, '\u00e9'), @([string][char]0xe9, 5, ''), @(('x' + [char]0xd83d + [char]0xde00), 12, 'x'),
            @(('x' + [char]0xd83d + [char]0xde00), 13, 'x\ud83d\ude00'), @([string][char]0xd83d, 99, '\ufffd'), @(('x' + [char]0xde00 + 'y'), 99, 'x\ufffdy'), @(([char]0xd83d + 'y'), 99, '\ufffdy'), @('abcdef', 3, 'abc'), @([string][char]0x7f, 99, '\u007f')
        )
        foreach ($row in $table) { $got = ConvertTo-JsonText $row[0] $row[1]; if ($got -cne $row[2]) { "'$($row[0])' within $($row[1]) became '$got'" } }
    } }

    @{ Name = 'every error id gives its cause, and none that only contains one'; Body = {
        param($Script)
        . $Script
        $table = @{
            'CommandNotFoundException' = 'unsupported-os'; 'NamedParameterNotFound,New-SmbGlobalMapping' = 'unsupported-os'; 'CommandNotFoundException,x' = 'unsupported-os'
            'MyCommandNotFoundException' = 'unlisted'; 'NamedParameterNotFounder' = 'unlisted'
            'Windows System Error 53' = '53'; 'Windows System Error 53,Get-SmbGlobalMapping' = '53'; 'A Windows System Error 53' = 'unlisted'; 'Windows System Error 53x' = 'unlisted'
            'CimJob_Create_1326' = '1326'; 'CimJob_Create_1326,New-SmbGlobalMapping' = '1326'; 'MyCimJob_Create_1326' = 'unlisted'; 'CimJob_Create_1326x' = 'unlisted'; 'CimJob__1326' = 'unlisted'
            'HRESULT 0x80070035' = '53'; 'HRESULT 0x80041001,New-SmbGlobalMapping' = '0x80041001'; 'An HRESULT 0x80070035' = 'unlisted'; 'HRESULT 0x80070035x' = 'unlisted'
            'Windows System Error 65535' = '65535'; 'Windows System Error 65536' = '0x00010000'; 'HRESULT 0x8007FFFF' = '65535'
        }
        foreach ($id in $table.Keys) {
            $got = Get-ErrorCause (New-Object Management.Automation.ErrorRecord (New-Object InvalidOperationException 'x'), $id, 'NotSpecified', $null)
            if ($got -cne $table[$id]) { "'$id' gave $got" }
        }
        # A code of Windows may be in an inner exception, whose outer one has another.
        $inner = New-Object IO.IOException 'x', ([int](0x80070035L - 4294967296))
        $got = Get-ErrorCause (New-Object Management.Automation.ErrorRecord (New-Object InvalidOperationException 'x', $inner), 'other', 'NotSpecified', $null)
        if ($got -cne '53') { "an inner exception gave $got" }
    } }

    @{ Name = 'every status has its name, as number and as text'; Body = {
        param($Script)
        . $Script
        $names = 'OK', 'Paused', 'Disconnected', 'NetworkError', 'Connecting', 'Reconnecting', 'Unavailable'
        for ($i = 0; $i -lt 7; $i++) { if ((Get-StatusName ([uint32]$i)) -cne $names[$i]) { "$i is $(Get-StatusName ([uint32]$i))" } }
        foreach ($row in @(7, '7'), @(-1, '-1'), @('Network Error', 'NetworkError'), @('Paused', 'Paused')) { if ((Get-StatusName $row[0]) -cne $row[1]) { "$($row[0]) is $(Get-StatusName $row[0])" } }
    } }

    @{ Name = 'only certain errors, or a named status other than OK, are a reason to replace'; Body = {
        param($Script)
        . $Script
        foreach ($cause in '5', '86', '1326', '1311', '2', '3') { foreach ($status in 'OK', '', '99', 'Disconnected') { if (-not (Test-Replaceable $cause $status)) { "$cause under '$status' is none" } } }
        foreach ($cause in '53', '64', 'call-hung', 'unlisted') {
            foreach ($status in 'Paused', 'Disconnected', 'NetworkError', 'Connecting', 'Reconnecting', 'Unavailable') { if (-not (Test-Replaceable $cause $status)) { "$cause under $status is none" } }
            foreach ($status in 'OK', '', '99', 'Unknown') { if (Test-Replaceable $cause $status) { "$cause under '$status' is one" } }
        }
        foreach ($cause in '1909', '1331', '65') { if (Test-Replaceable $cause 'Disconnected') { "$cause is one" } }
    } }

    @{ Name = 'a check succeeds unless a log-on may have been refused'; Body = {
        param($Script)
        . $Script
        # What rules out a refusal: the network, the directory or the host failed, or the server answered for the account.
        $ruledOut = @(
            8, 14, 21, 51, 53, 54, 55, 59, 64, 71, 85, 121, 1117, 1130, 1201, 1202, 1203, 1219, 1220, 1222, 1225, 1229, 1231, 1232, 1233, 1234, 1236, 1238, 1265, 1311
            1355, 1394, 1396, 1397, 1398, 1450, 1722, 1786, 1787, 1788, 1789, 1792, 1908, 2138, 2, 3, 67, 'unreadable'
        )
        $table = @($ruledOut | ForEach-Object { , @("$_", 'read', 0) })
        foreach ($cause in '5', '65', '86', '1326', '1331', '1385', '1909') { $table += , @($cause, 'read', 78) }
        foreach ($cause in 'unlisted', 'call-hung', '0x80041001', '9999') { $table += , @($cause, 'read', 75) }
        $table += @('unlisted', 'script', 75), @('timeout', 'script', 75), @('5', 'look', 0), @('wmi-failed', 'look', 0), @('dns', 'dns', 0), @('busy', 'mutex', 0)
        foreach ($row in $table) {
            $got = Get-ExitCode @{ Cause = $row[0]; Step = $row[1] } 'check'
            if ($got -ne $row[2]) { "$($row[0]) at $($row[1]) ends with $got" }
            if ((Get-ExitCode @{ Cause = $row[0]; Step = $row[1] } 'map') -eq 0) { "$($row[0]) at $($row[1]) ends a map with 0" }
        }
    } }

    @{ Name = 'every answer of Parameter Store has its cause'; Body = {
        param($Script)
        . $Script
        $table = @(
            @('KMSInvalidStateException', 'x', 'kms-denied'), @('InvalidKeyId', 'x', 'kms-denied'), @('MyKMSException', 'x', 'parameter-store')
            @('AccessDeniedException', 'x', 'parameter-denied'), @('AccessDeniedException', 'not kms:Decrypt', 'kms-denied'), @('AccessDeniedException', 'The ciphertext', 'kms-denied')
            @('ExpiredTokenException', 'x', 'parameter-denied'), @('UnrecognizedClientException', 'x', 'parameter-denied'), @('InvalidClientTokenId', 'x', 'parameter-denied')
            @('MissingAuthenticationToken', 'x', 'parameter-denied'), @('IncompleteSignature', 'x', 'parameter-denied'), @('InvalidSignatureException', 'x', 'parameter-denied')
            @('SignatureDoesNotMatch', 'x', 'parameter-denied'), @('ParameterNotFound', 'x', 'parameter-missing'), @('ValidationException', 'x', 'bad-settings')
            @('InternalServerError', 'bad credentials', 'parameter-store'), @('NotValidation', 'x', 'parameter-store'), @('MyExpiredToken', 'x', 'parameter-store')
            @('MyAccessDenied', 'x', 'parameter-store'), @('MyParameterNotFound', 'x', 'parameter-store'), @('MyThrottling', 'x', 'parameter-store')
            @('', 'Unable to get IAM security credentials', 'metadata-service'), @('', 'x', 'parameter-store'), @($null, 'no credentials', 'metadata-service'), @(10060, 'x', 'parameter-store'), @(10060, 'no credentials', 'metadata-service')
        )
        foreach ($row in $table) {
            $inner = New-Object InvalidOperationException $row[1]
            if ($null -ne $row[0]) { Add-Member -InputObject $inner -NotePropertyName ErrorCode -NotePropertyValue $row[0] }
            # What wraps the answer may have a text, and a code, of its own.
            $coded = New-Object InvalidOperationException 'of credentials, kms: and the ciphertext', $inner
            if ($row[0] -is [string] -and $row[0] -cne '') { Add-Member -InputObject $coded -NotePropertyName ErrorCode -NotePropertyValue 'ThrottlingException' }
            foreach ($exception in $inner, (New-Object InvalidOperationException 'outer', $inner), $(if ($row[0] -is [string] -and $row[0] -cne '') { $coded })) {
                if ($null -eq $exception) { continue }
                $record = New-Object Management.Automation.ErrorRecord $exception, 'x', 'NotSpecified', $null
                $got = Get-ParameterCause $record
                if ($got -cne $row[2]) { "'$($row[0])' with '$($row[1])' gave $got" }
                if (Test-Throttled $record) { "'$($row[0])' is throttled" }
            }
        }
        foreach ($code in 'ThrottlingException', 'Throttling') {
            $inner = New-Object InvalidOperationException 'x'
            Add-Member -InputObject $inner -NotePropertyName ErrorCode -NotePropertyValue $code
            if (-not (Test-Throttled (New-Object Management.Automation.ErrorRecord (New-Object InvalidOperationException 'outer', $inner), 'x', 'NotSpecified', $null))) { "$code is not throttled" }
        }
    } }

    @{ Name = 'a throttled host waits before it calls again, and ends with its time'; Body = {
        param($Script)
        . $Script
        $inner = New-Object InvalidOperationException 'x'
        Add-Member -InputObject $inner -NotePropertyName ErrorCode -NotePropertyValue 'ThrottlingException'
        $script:record = New-Object Management.Automation.ErrorRecord $inner, 'x', 'NotSpecified', $null
        function Wait-Pause([hashtable]$Run, [double]$Seconds) { $script:pauses += $Seconds }
        function Invoke-WithTimeLimit([hashtable]$Run, [double]$Seconds) {
            $script:limits += $Seconds
            @{ Hung = $false; Error = if ($script:limits.Count -le 2) { $script:record }; Value = @(); Within = 'within 1 s' }
        }
        function Get-Random([double]$Minimum, [double]$Maximum) { $script:asked = "$Minimum $Maximum"; 2.5 }
        # the time, and how often it is asked
        foreach ($row in @(60, 3), @(5, 1), @(0.5, 1)) {
            $script:pauses, $script:limits = @(), @()
            $run = @{ Limits = @{ parameters = $row[0]; pause = 2 }; Settings = @{ UserParameter = 'u'; PasswordParameter = 'p' }; Clock = @{ Elapsed = @{ TotalSeconds = 100 } } }
            $read = Read-BothParameters $run @{} 'eu-central-1'
            if ($script:limits.Count -ne $row[1] -or ($null -eq $read.Error) -ne ($row[1] -eq 3)) { "within $($row[0]) s it was asked $($script:limits.Count) times" }
            if ($script:limits[0] -ne [Math]::Max(2, $row[0])) { "within $($row[0]) s the first had $($script:limits[0]) s" }
            if (($script:pauses -join ' ') -cne $(if ($row[1] -eq 3) { '5 5' } else { '' })) { "within $($row[0]) s it waited for $($script:pauses) s" }
        }
        if ($script:asked -cne '1 4') { "the pause is between $script:asked times the unit" }
    } }

    @{ Name = 'what is wrong with the tools themselves is not Parameter Store''s fault'; Body = {
        param($Script)
        . $Script
        $local = 'Management.Automation.MethodException', 'Reflection.TargetException', 'MissingMethodException', 'MissingFieldException', 'TypeLoadException', 'BadImageFormatException',
            'EntryPointNotFoundException', 'DllNotFoundException', 'IO.FileNotFoundException', 'IO.FileLoadException', 'InvalidCastException', 'NullReferenceException', 'NotSupportedException',
            'NotImplementedException', 'ArgumentException', 'ArgumentNullException'
        $other = 'InvalidOperationException', 'Net.WebException', 'TimeoutException', 'IO.IOException', 'OperationCanceledException'
        foreach ($name in $local + $other) {
            foreach ($exception in (New-Object $name), (New-Object InvalidOperationException 'outer', (New-Object $name))) {
                $got = Get-ParameterCause (New-Object Management.Automation.ErrorRecord $exception, 'x', 'NotSpecified', $null)
                $wanted = if ($local -ccontains $name) { 'aws-tools-missing' } else { 'parameter-store' }
                if ($got -cne $wanted) { "$name gave $got" }
            }
        }
        $inner = New-Object TypeInitializationException 'x', $null
        if ((Get-ParameterCause (New-Object Management.Automation.ErrorRecord $inner, 'x', 'NotSpecified', $null)) -cne 'aws-tools-missing') { 'a type that does not start is no fault of the tools' }
    } }

    @{ Name = 'the limits leave time for the result line'; Body = {
        param($Script)
        . $Script
        $limits = Get-DefaultLimit
        # The document's timeout is 600, and a hang is noticed only when its own limit is over.
        if ($limits.script -ne 540) { "the script's limit is $($limits.script)" }
        foreach ($name in 'mutex', 'lookup', 'read', 'readPause', 'domain', 'dns', 'port', 'pause', 'awsTools', 'parameters', 'remove', 'create', 'proof') {
            if ($limits[$name] -lt 1 -or $limits[$name] -gt $limits.script / 2) { "$name is $($limits[$name])" }
        }
        if ($limits.Count -ne 14) { "there are $($limits.Count) limits" }
    } }

    @{ Name = 'a path of 700 bytes in JSON is taken, one of 701 is not, and a probe of 200'; Body = {
        param($Script)
        . $Script
        # The three backslashes become six.
        $null = Read-Settings (ConvertTo-EncodedSettings @{ remote = '\\f\' + 'a' * 693 })
        try { $null = Read-Settings (ConvertTo-EncodedSettings @{ remote = '\\f\' + 'a' * 694 }); 'one of 701 was taken' }
        catch { if ($_.TargetObject.Cause -cne 'bad-settings') { "one of 701 gave $_" } }
        $null = Read-Settings (ConvertTo-EncodedSettings @{ probe = 'a' * 200 })
        try { $null = Read-Settings (ConvertTo-EncodedSettings @{ probe = 'a' * 201 }); 'a probe of 201 was taken' }
        catch { if ($_.TargetObject.Cause -cne 'bad-settings') { "a probe of 201 gave $_" } }
    } }

    @{ Name = 'JSON text keeps the first and the last printable character, and no other'; Body = {
        param($Script)
        . $Script
        $text = [string][char]31 + ' ~' + [char]127
        if ((ConvertTo-JsonText $text 99) -cne '\u001f ~\u007f') { "it became $(ConvertTo-JsonText $text 99)" }
    } }

    @{ Name = 'what is asked beside the result does not change it when the time is over'; Body = {
        param($Script)
        . $Script
        function Invoke-WithTimeLimit { Stop-Run 'timeout' 'script' 'it was not made' }
        $run = @{ Settings = @{ Drive = 'G:'; Remote = '\\fs\share'; Server = 'fs' }; Limits = Get-DefaultLimit }
        # A function sees its caller's variables. This one would make it say that nothing is listed.
        $answer = @{ Error = $null; Value = @() }
        if ((Get-HolderText $run) -cne '') { "the holder is $(Get-HolderText $run)" }
        function Find-Mapping { @{ RemotePath = '\\fs\share'; Status = 'OK'; Privacy = $true } }
        function Write-Note { return }
        $proof = Get-Proof $run (Find-Mapping) $true
        if ($null -ne $proof.Boot -or $proof.Status -cne 'OK' -or -not $proof.Changed) { "the proof is $(ConvertTo-Json -Compress $proof)" }
    } }

    @{ Name = 'TLS 1.2 is added where .NET begins with protocols of its own, and only there'; Body = {
        param($Script)
        . $Script
        Set-ModulePath 'missing'
        $before = [Net.ServicePointManager]::SecurityProtocol
        try {
            foreach ($row in @('SystemDefault', 'SystemDefault'), @('Tls11', 'Tls11, Tls12')) {
                [Net.ServicePointManager]::SecurityProtocol = $row[0]
                $null = Open-AwsTools 'eu-central-1' $false
                if ("$([Net.ServicePointManager]::SecurityProtocol)" -cne $row[1]) { "$($row[0]) became $([Net.ServicePointManager]::SecurityProtocol)" }
            }
        } finally { [Net.ServicePointManager]::SecurityProtocol = $before }
    } }

    @{ Name = 'of two parameters whose names differ only in case, each is taken for what it is'; Body = {
        param($Script)
        . $Script
        function Get-SSMParameterValue { @{ Parameters = @(@{ Name = 'share/name'; Value = 'secret' }, @{ Name = 'share/NAME'; Value = 'CORP\svc-ecs' }) } }
        $read = Read-Parameters @{ Client = $null; OwnRole = $null } 'share/NAME' 'share/name' 'eu-central-1'
        if ($read.UserName -cne 'CORP\svc-ecs' -or $read.Password.Length -ne 6) { "the user is '$($read.UserName)', and the password has $($read.Password.Length) characters" }
    } }

    @{ Name = 'assemblies are loaded only where both are there'; Body = {
        param($Script)
        . $Script
        foreach ($names in @(), @('Core'), @('SimpleSystemsManagement')) {
            $root = [IO.Path]::Combine($bench.Scratch, [guid]::NewGuid().ToString('N'))
            $folder = [IO.Path]::Combine($root, 'AWSPowerShell')
            [void][IO.Directory]::CreateDirectory($folder)
            foreach ($name in $names) { [IO.File]::WriteAllText([IO.Path]::Combine($folder, "AWSSDK.$name.dll"), 'no assembly') }
            Set-ModulePath 'missing'
            $env:PSModulePath = $root + [IO.Path]::PathSeparator + $env:PSModulePath
            $tools = Open-AwsTools 'eu-central-1' $true
            # Each of the two modules has its own problem, and nothing else.
            if ($tools.Found -or $tools.Problem -cnotmatch "^The [^;]*'AWS\.Tools\.SimpleSystemsManagement'[^;]*; The [^;]*'AWSPowerShell'[^;]*\z") { "with $names the problem is: $($tools.Problem)" }
        }
    } }

    @{ Name = 'AWS tools that fail to be looked for are missing'; Body = {
        param($Script)
        . $Script
        $record = New-Object Management.Automation.ErrorRecord (New-Object InvalidOperationException 'no path'), 'x', 'NotSpecified', $null
        $script:answer = @{ Hung = $false; Error = $record; Value = @(); Within = 'within 1 s' }
        function Invoke-WithTimeLimit { $script:answer }
        try { $null = Get-AwsTools @{ Limits = Get-DefaultLimit } 'eu-central-1' $true; 'they were found' }
        catch { $failure = $_.TargetObject; if ("$($failure.Cause) $($failure.Step) $($failure.Message)" -cne 'aws-tools-missing aws-tools no path [x]') { "it is $($failure.Cause) $($failure.Step) $($failure.Message)" } }
    } }

    @{ Name = 'an account is logged on where the server finds no directory, and only then'; Body = {
        param($Script)
        . $Script
        function Read-Root([hashtable]$Run, [string]$Directory) { $script:asked = $Directory; $script:other }
        # the proof's directory, the failure, what another name gives, whether the account is logged on
        $table = @(
            @('', '5', '2', $true), @('', '5', '3', $true), @('', '5', '5', $false), @('', '5', '1326', $false), @('', '5', '53', $false), @('', '5', $null, $false)
            @('', '2', '3', $false), @('', '3', '3', $false), @('', '1326', '3', $false), @('', '53', '3', $false)
            @('Directory', '2', '5', $true), @('Directory', '3', '5', $true), @('Directory', '5', '3', $true), @('Directory', '5', '5', $false), @('Directory', '53', '3', $false)
        )
        foreach ($row in $table) {
            $script:other = if ($null -ne $row[2]) { @{ Cause = $row[2]; Message = 'x' } }
            $script:asked = ''
            $is = Test-LoggedOn @{ Settings = @{ Probe = $row[0] } } @{ Cause = $row[1]; Message = 'x' }
            if ($is -ne $row[3]) { "'$($row[0])' with $($row[1]) and $($row[2]) gave $is" }
            if ($script:asked -cne '' -and $script:asked -cnotmatch '^ecs-smb-mapper-[0-9a-f]{32}\z') { "it asked for $($script:asked)" }
        }
        foreach ($row in @('2', 'unreadable'), @('3', 'unreadable'), @('5', 'unreadable'), @('unlisted', 'unreadable'), @('1326', '1326'), @('64', '64')) {
            if ((Get-UnreadableCause $row[0]) -cne $row[1]) { "$($row[0]) became $(Get-UnreadableCause $row[0])" }
        }
    } }

    @{ Name = 'a mapping is removed only where the time is enough to make and prove another'; Body = {
        param($Script)
        . $Script
        function Get-TimeLeft { $script:left }
        function Invoke-WithTimeLimit { $script:removed = $true; @{ Hung = $false; Error = $null; Value = @() } }
        function Find-Mapping { return }
        $limits = Get-DefaultLimit
        foreach ($row in @(120, $true), @(119.9, $false)) {
            $script:left, $script:removed = $row[0], $false
            $run = @{ Limits = $limits; Settings = @{ Drive = 'G:' }; Clock = [Diagnostics.Stopwatch]::StartNew(); Removed = $false }
            try { Remove-OurMapping $run @{ RemotePath = '\\fs\share' } } catch { if ($_.TargetObject.Cause -cne 'call-hung') { "$_" } }
            if ($script:removed -ne $row[1]) { "with $($row[0]) s left it was removed: $($script:removed)" }
        }
    } }

    @{ Name = 'a note lasts until it is removed, one for each letter, and its errors are none'; Body = {
        param($Script)
        . $Script
        $profileFolder = [Environment]::GetFolderPath('LocalApplicationData', 'DoNotVerify')
        if ((Get-NotePath 'G:') -cne [IO.Path]::Combine($profileFolder, 'ecs-smb-mapper', 'G.txt')) { "it is $(Get-NotePath 'G:')" }
        $script:folder = [IO.Path]::Combine($bench.Scratch, [guid]::NewGuid().ToString('N'))
        function Get-NotePath([string]$Drive) { [IO.Path]::Combine($script:folder, $Drive.Substring(0, 1) + '.txt') }
        if ($null -ne (Read-Note 'G:')) { 'there was a note before the first' }
        Write-Note 'G:' ''
        Write-Note 'G:' 'one'
        Write-Note 'H:' 'two'
        if (((Read-Note 'G:'), (Read-Note 'H:') -join ' ') -cne 'one two') { "they say $(Read-Note 'G:') and $(Read-Note 'H:')" }
        Write-Note 'G:' ''
        if ($null -ne (Read-Note 'G:') -or (Read-Note 'H:') -cne 'two') { 'not the one note was removed' }
        $script:folder = '/dev/null/notes'
        Write-Note 'G:' 'three'
        if ($null -ne (Read-Note 'G:')) { 'a note was written nowhere' }
    } }

    @{ Name = 'constrained language mode is named in the one line, before anything else'; Body = {
        param($Script)
        $state = [Management.Automation.Runspaces.InitialSessionState]::CreateDefault()
        $state.LanguageMode = 'ConstrainedLanguage'
        $worker = [runspacefactory]::CreateRunspace($state)
        $worker.Open()
        $shell = [powershell]::Create()
        $shell.Runspace = $worker
        $document = "`$EncodedSettings = '$(ConvertTo-EncodedSettings $null)'`n" + [IO.File]::ReadAllText($Script).Replace('{{ Action }}', 'map')
        $output = @($shell.AddScript($document).Invoke())
        foreach ($record in $shell.Streams.Error) { "an error: $record" }
        if ($output.Count -ne 1) { "it wrote $($output.Count) lines: $output"; return }
        Compare-Line @{ failed = 'constrained-language script'; exit = 78; says = 'AppLocker' } @{ Line = [string]$output[0]; ExitCode = 78 } @{}
    } }

    @{ Name = 'no cmdlet, of PowerShell or of a module, is handed the password'; Body = {
        param($Script)
        foreach ($aws in $bench.Aws, 'modular') { Test-NoCmdletSeesPassword $Script $aws }
    } }
}

# Records what module logging would write: every parameter and all pipeline input of every cmdlet. Proxy functions, made
# by PowerShell's own proxy generator, record the values and call the cmdlets.
function Test-NoCmdletSeesPassword([string]$Script, [string]$Aws) {
    . $Script
    . ([IO.Path]::Combine($bench.Here, 'host-calls.ps1'))
    Set-StrictMode -Off
    Save-ModelHost (New-CaseHost @{})
    Set-ModulePath $Aws
    $env:AWS_SSM_REGION_NAME = 'eu-central-1'
    $tree = [Management.Automation.Language.Parser]::ParseFile([IO.Path]::GetFullPath($Script), [ref]$null, [ref]$null)
    $names = @($tree.FindAll({ $args[0] -is [Management.Automation.Language.CommandAst] }, $true) | ForEach-Object { $_.GetCommandName() } | Where-Object { $_ } | Sort-Object -Unique)
    # These two act in the scope of their caller, which a proxy would change. They get only names.
    $names = @($names | Where-Object { @('Get-Command', 'Import-Module') -cnotcontains $_ })
    $cmdlets = @($names | ForEach-Object { Get-Command -Name $_ -CommandType Cmdlet -ErrorAction Ignore })
    if (@($cmdlets | Where-Object { $_.Name -ceq 'New-Object' }).Count -ne 1) { 'New-Object is not among the cmdlets that the script calls' }
    $spy = 'function Add-Seen { foreach ($key in $args[1].Keys) { [void][AppDomain]::CurrentDomain.GetData("Spy.Seen").Add($args[0] + " -" + $key + " " + ($args[1][$key] | Microsoft.PowerShell.Utility\Out-String -Width 4000)) } }' + "`n"
    foreach ($cmdlet in $cmdlets) {
        $body = [Management.Automation.ProxyCommand]::Create((New-Object Management.Automation.CommandMetadata $cmdlet))
        $spy += "function $($cmdlet.Name) {`n" + ($body -replace 'process\s*\{', "process`n{ Add-Seen '$($cmdlet.Name)' `$PSBoundParameters;") + "`n}`n"
    }
    [AppDomain]::CurrentDomain.SetData('Spy.Seen', (New-Object Collections.ArrayList))
    $module = [IO.Path]::Combine($bench.Scratch, 'Spy.psm1')
    [IO.File]::WriteAllText($module, $spy)
    $worker = [runspacefactory]::CreateRunspace()
    $worker.Open()
    $shell = [powershell]::Create()
    $shell.Runspace = $worker
    [void]$shell.AddScript("Import-Module '$module'").Invoke()
    $shell.Commands.Clear()
    [void]$shell.AddScript("`$null = New-Object string 'seen by the spy'").Invoke()
    $run = @{
        Action = 'map'; Limits = $bench.Limits; Clock = [Diagnostics.Stopwatch]::StartNew(); Worker = $worker; Credential = $null; Removed = $false
        Settings = Read-Settings (ConvertTo-EncodedSettings $null)
    }
    Import-Module $module
    try { $mapped = Resolve-Mapping $run } finally { Remove-Module Spy }
    $seen = [AppDomain]::CurrentDomain.GetData('Spy.Seen')
    if ($mapped.Changed -ne $true) { "nothing was mapped with the $Aws tools" }
    if (@($seen | Where-Object { $_.Contains('seen by the spy') }).Count -eq 0) { 'the spy sees nothing' }
    if (@($seen | Where-Object { $_.Contains('PSCredential') }).Count -eq 0) { 'the spy does not see how the credential is made' }
    foreach ($text in @($seen) + @((Get-ModelHost).calls)) { if ("$text".Contains($bench.Password)) { "a cmdlet was handed the password: $text" } }
}
