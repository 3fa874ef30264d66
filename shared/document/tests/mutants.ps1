# Derives the mutants of a script from its syntax tree, and a copy of the script that records which statements run.
#
# A mutant is the script with one edit: a piece of text replaced. Its name does not change when lines move: the function,
# the operator, and the text before and after. Equal edits in one function are numbered.

$mutantOperators = @{
    '-lt' = '-le', '-ge'; '-le' = '-lt', '-gt'; '-gt' = '-ge', '-le'; '-ge' = '-gt', '-lt'
    '-eq' = '-ne'; '-ne' = '-eq'; '-ceq' = '-cne'; '-cne' = '-ceq'; '-match' = '-notmatch'; '-notmatch' = '-match'
    '-contains' = '-notcontains'; '-ccontains' = '-cnotcontains'; '-cnotcontains' = '-ccontains'
    '-is' = '-isnot'; '-isnot' = '-is'; '+' = '-'; '-' = '+'
}
# Switches are dropped alone: what follows them is not their argument.
$mutantSwitches = 'Descending', 'Force'

# Edits from $Start to $End. $At is a place in the statement that must run for the edit to have an effect.
function New-Edit([string]$Operator, [int]$Start, [int]$End, [string]$New, [int]$At = $Start) {
    @{ Operator = $Operator; Start = $Start; End = $End; New = $New; At = $At }
}

function New-Replacement([string]$Operator, $Extent, [string]$New, [int]$At = $Extent.StartOffset) { New-Edit $Operator $Extent.StartOffset $Extent.EndOffset $New $At }

# A place that is reached where a block runs.
function Get-Inside($Block) { if ($Block.Statements.Count -gt 0) { $Block.Statements[0].Extent.StartOffset } else { $Block.Extent.StartOffset } }

function Test-Kind($Ast, [string[]]$Kinds) { $null -ne $Ast -and $Kinds -ccontains $Ast.GetType().Name }

# A statement of a block. The expression inside $(...) or @(...) is none: its removal is a change of a value.
function Test-Statement($Ast) {
    $Ast -is [Management.Automation.Language.StatementAst] -and -not (Test-Kind $Ast 'FunctionDefinitionAst') -and
        (Test-Kind $Ast.Parent 'StatementBlockAst', 'NamedBlockAst') -and -not (Test-Kind $Ast.Parent.Parent 'SubExpressionAst', 'ArrayExpressionAst')
}

# The only statement of an `if` without `else`: the `if` itself is removed instead.
function Test-WholeOfIf($Ast) {
    $if = $Ast.Parent.Parent
    (Test-Kind $if 'IfStatementAst') -and (Test-Statement $if) -and $if.Clauses.Count -eq 1 -and $null -eq $if.ElseClause -and $Ast.Parent.Statements.Count -eq 1
}

function Test-Constant($Ast) { Test-Kind $Ast 'ConstantExpressionAst', 'StringConstantExpressionAst' }
function Test-ConstantList($Ast) { (Test-Kind $Ast 'ArrayLiteralAst') -and @($Ast.Elements | Where-Object { -not (Test-Constant $_) }).Count -eq 0 }

function Get-StatementEdits($Ast) {
    if ((Test-Statement $Ast) -and -not (Test-WholeOfIf $Ast)) {
        # An `if` without `else` has an effect only where its block runs.
        $at = if ((Test-Kind $Ast 'IfStatementAst') -and $Ast.Clauses.Count -eq 1 -and $null -eq $Ast.ElseClause) { Get-Inside $Ast.Clauses[0].Item2 } else { $Ast.Extent.StartOffset }
        New-Replacement 'statement' $Ast.Extent '' $at
    }
    if (-not (Test-Kind $Ast 'TryStatementAst')) { return }
    foreach ($body in @($Ast.CatchClauses | ForEach-Object { $_.Body }) + $Ast.Finally) {
        if ($null -eq $body -or $body.Statements.Count -lt 2) { continue }
        New-Replacement 'handler' $body.Extent '{ }' (Get-Inside $body)
    }
}

# Always true and always false instead of a negation: a test of either way would catch that. Left out is what another edit
# does: a removed `if` without `else` is always false, and a loop that is always true only hangs.
function Get-ConditionEdits($Ast) {
    if (Test-Kind $Ast 'IfStatementAst') {
        foreach ($clause in $Ast.Clauses) {
            New-Replacement 'condition' $clause.Item1.Extent '$true'
            if ($null -ne $Ast.ElseClause -or $Ast.Clauses.Count -gt 1) { New-Replacement 'condition' $clause.Item1.Extent '$false' (Get-Inside $clause.Item2) }
        }
    } elseif ((Test-Kind $Ast 'WhileStatementAst', 'ForStatementAst') -and $null -ne $Ast.Condition) {
        if ($Ast.Condition.Extent.Text -cne '$true') { New-Replacement 'condition' $Ast.Condition.Extent "-not ($($Ast.Condition.Extent.Text))" }
    } elseif (Test-Logical $Ast) {
        # `a -or b` differs from one of them only where the block of the `if` runs.
        $clause = @($Ast.Parent.Parent.Parent.Clauses | Where-Object { $null -ne $_ -and $_.Item1 -eq $Ast.Parent.Parent })
        $at = if ($clause -and $Ast.ErrorPosition.Text -eq '-or') { Get-Inside $clause[0].Item2 } else { $Ast.Extent.StartOffset }
        New-Replacement 'operand' $Ast.Extent $Ast.Right.Extent.Text $at
        New-Replacement 'operand' $Ast.Extent $Ast.Left.Extent.Text $at
        if (-not (Test-Condition $Ast)) { New-Replacement 'operand' $Ast.Extent $(if ($Ast.ErrorPosition.Text -eq '-and') { '$false' } else { '$true' }) }
    } elseif ((Test-Kind $Ast 'UnaryExpressionAst') -and $Ast.TokenKind -eq 'Not' -and -not (Test-Condition $Ast)) {
        New-Replacement 'condition' $Ast.Extent $Ast.Child.Extent.Text
    }
}

function Test-Logical($Ast) { (Test-Kind $Ast 'BinaryExpressionAst') -and @('-and', '-or') -contains $Ast.ErrorPosition.Text }

# Whether an expression is a condition or an operand, which other edits make true and false.
function Test-Condition($Ast) {
    $owner = $Ast.Parent
    while (Test-Kind $owner 'ParenExpressionAst', 'CommandExpressionAst', 'PipelineAst') { $owner = $owner.Parent }
    (Test-Kind $owner 'IfStatementAst', 'UnaryExpressionAst') -or (Test-Logical $owner)
}

# Where a condition is tested for both ways, only the neighbouring comparison is left: -lt and -le differ at the limit.
# A text cannot be subtracted, which every test would notice.
function Get-OperatorEdits($Ast) {
    if (-not (Test-Kind $Ast 'BinaryExpressionAst')) { return }
    if ($Ast.ErrorPosition.Text -eq '+' -and $Ast.Extent.Text -match "['`"]") { return }
    $others = @($mutantOperators[$Ast.ErrorPosition.Text] | Where-Object { $_ })
    if (Test-Condition $Ast) { $others = @($others | Where-Object { $others.Count -eq 2 } | Select-Object -First 1) }
    foreach ($other in $others) { New-Replacement 'operator' $Ast.ErrorPosition $other }
}

# A text with a blank is a message for people, and a pattern has its own edits.
function Get-ConstantEdits($Ast) {
    if (Test-ConstantList $Ast.Parent) { return }
    if (Test-Kind $Ast 'ConstantExpressionAst') {
        New-Replacement 'constant' $Ast.Extent ($Ast.Value + 1).ToString([Globalization.CultureInfo]::InvariantCulture)
        if ($Ast.Value -ge 1) { New-Replacement 'constant' $Ast.Extent '0' }
    } elseif (Test-Kind $Ast 'StringConstantExpressionAst') {
        if ($Ast.StringConstantType -ne 'SingleQuoted' -or $Ast.Value.Contains(' ') -or (Test-Pattern $Ast)) { return }
        New-Replacement 'constant' $Ast.Extent "'changed'"
    } elseif (Test-Kind $Ast 'VariableExpressionAst') {
        if ($Ast.Extent.Text -ceq '$true') { New-Replacement 'constant' $Ast.Extent '$false' }
        if ($Ast.Extent.Text -ceq '$false') { New-Replacement 'constant' $Ast.Extent '$true' }
    } elseif (Test-Kind $Ast 'MemberExpressionAst') {
        if ($Ast.Member.Extent.Text -ceq 'Ordinal') { New-Replacement 'constant' $Ast.Member.Extent 'OrdinalIgnoreCase' }
        if ($Ast.Member.Extent.Text -ceq 'OrdinalIgnoreCase') { New-Replacement 'constant' $Ast.Member.Extent 'Ordinal' }
    }
}

# The order of a list counts where it is indexed or walked.
function Get-ListEdits($Ast) {
    if (-not (Test-ConstantList $Ast)) { return }
    $all = @($Ast.Elements | ForEach-Object { $_.Extent })
    New-Edit 'list' $all[0].StartOffset $all[1].StartOffset ''
    for ($i = 1; $i -lt $all.Count; $i++) { New-Edit 'list' $all[$i - 1].EndOffset $all[$i].EndOffset '' }
    $owner = $Ast.Parent
    while (-not ($owner -is [Management.Automation.Language.StatementAst] -and (Test-Statement $owner)) -and $owner.Parent) { $owner = $owner.Parent }
    $walked = (Test-Kind $owner 'ForEachStatementAst') -and $owner.Condition.Extent.EndOffset -ge $Ast.Extent.EndOffset
    if (Test-Kind $owner 'AssignmentStatementAst') {
        $walked = $owner.Parent.Find({ (Test-Kind $args[0] 'IndexExpressionAst') -and $args[0].Target.Extent.Text -ceq $owner.Left.Extent.Text }, $true)
    }
    if (-not $walked) { return }
    for ($i = 1; $i -lt $all.Count; $i++) { New-Edit 'list' $all[$i - 1].StartOffset $all[$i].EndOffset "$($all[$i].Text), $($all[$i - 1].Text)" }
}

# A named parameter of a command is dropped, with its argument.
function Get-ParameterEdits($Ast) {
    if (-not (Test-Kind $Ast 'CommandAst')) { return }
    for ($i = 1; $i -lt $Ast.CommandElements.Count; $i++) {
        $element, $next = $Ast.CommandElements[$i], $Ast.CommandElements[$i + 1]
        if (-not (Test-Kind $element 'CommandParameterAst')) { continue }
        $last = if ($null -eq $next -or (Test-Kind $next 'CommandParameterAst') -or $mutantSwitches -ccontains $element.ParameterName) { $element } else { $next }
        New-Edit 'parameter' $element.Extent.StartOffset $last.Extent.EndOffset ''
    }
}

function Test-Pattern($Ast) { (Test-Kind $Ast.Parent 'BinaryExpressionAst') -and $Ast.Parent.ErrorPosition.Text -match '^-(not)?match$' }

# One member of an alternation is dropped, or an anchor.
function Get-PatternEdits($Ast) {
    if (-not (Test-Kind $Ast 'StringConstantExpressionAst') -or -not (Test-Pattern $Ast)) { return }
    $from = $Ast.Extent.StartOffset + 1
    $pattern = $Ast.Value + ')'
    $groups = New-Object Collections.Stack
    $groups.Push(@(-1))
    for ($i = 0; $i -lt $pattern.Length; $i++) {
        switch -CaseSensitive ([string]$pattern[$i]) {
            '\' { $i++ }
            '[' { $i = $pattern.IndexOf(']', $i + 1) }
            '(' { $groups.Push(@($i)) }
            '|' { $groups.Push(@($groups.Pop()) + $i) }
            ')' {
                $bars = @($groups.Pop()) + $i
                for ($n = 1; $n -lt $bars.Count -and $bars.Count -gt 2; $n++) {
                    if ($n -eq 1) { New-Edit 'pattern' ($from + $bars[0] + 1) ($from + $bars[1] + 1) '' }
                    else { New-Edit 'pattern' ($from + $bars[$n - 1]) ($from + $bars[$n]) '' }
                }
            }
        }
    }
    if ($Ast.Value.StartsWith('^')) { New-Edit 'pattern' $from ($from + 1) '' }
    if ($Ast.Value.EndsWith('\z')) { New-Edit 'pattern' ($from + $Ast.Value.Length - 2) ($from + $Ast.Value.Length) '' }
}

# The text before and after an edit, with as much around it as makes it readable.
function Get-EditName([string]$Text, $Ast, $Edit) {
    while (($Ast.Extent.StartOffset -gt $Edit.Start -or $Ast.Extent.EndOffset -lt $Edit.End -or $Ast.Extent.Text.Length -lt 16) -and -not (Test-Statement $Ast) -and $Ast.Parent) { $Ast = $Ast.Parent }
    $from, $to = [Math]::Max($Ast.Extent.StartOffset, $Edit.Start - 40), [Math]::Min($Ast.Extent.EndOffset, $Edit.End + 40)
    while ($from -gt $Ast.Extent.StartOffset -and $Text[$from - 1] -ne ' ') { $from-- }
    while ($to -lt $Ast.Extent.EndOffset -and $Text[$to] -ne ' ') { $to++ }
    $left, $right = $Text.Substring($from, $Edit.Start - $from), $Text.Substring($Edit.End, $to - $Edit.End)
    $short = { $one = ($args[0] -replace '\s+', ' ').Trim(); if ($one.Length -gt 160) { $one.Substring(0, 100) + ' ... ' + $one.Substring($one.Length - 55) } else { $one } }
    $after = & $short ($left + $Edit.New + $right)
    "$($Edit.Operator): $(& $short $Text.Substring($from, $to - $from))" + $(if ($after) { " => $after" })
}

# Returns @{ Mutants; Unparsed; Statements; Instrumented }. A mutant has Name, Function, Operator, Line, Statement, Text and
# the Word that it loses.
function Get-Mutants([string]$File) {
    $text = [IO.File]::ReadAllText($File)
    $tree = [Management.Automation.Language.Parser]::ParseInput($text, [ref]$null, [ref]$null)
    $all = @($tree.FindAll({ $true }, $true))
    $statements = @($all | Where-Object { Test-Statement $_ })
    $seen = New-Object Collections.Generic.HashSet[string] (, [string[]]@($text))
    $names = @{}
    $unparsed = @{}
    $mutants = foreach ($ast in $all) {
        $edits = @(Get-StatementEdits $ast; Get-ConditionEdits $ast; Get-OperatorEdits $ast; Get-ConstantEdits $ast; Get-ListEdits $ast; Get-ParameterEdits $ast; Get-PatternEdits $ast)
        foreach ($edit in $edits) {
            $mutated = $text.Remove($edit.Start, $edit.End - $edit.Start).Insert($edit.Start, $edit.New)
            if (-not $seen.Add($mutated)) { continue }
            $errors = $null
            [void][Management.Automation.Language.Parser]::ParseInput($mutated, [ref]$null, [ref]$errors)
            if ($errors.Count -gt 0) { $unparsed[$edit.Operator]++; continue }
            $function = $ast
            while ($function -and -not (Test-Kind $function 'FunctionDefinitionAst')) { $function = $function.Parent }
            $function = if ($function) { $function.Name } else { 'script' }
            $name = Get-EditName $text $ast $edit
            $names["$function $name"]++
            if ($names["$function $name"] -gt 1) { $name += " #$($names["$function $name"])" }
            $word = $text.Substring($edit.Start, $edit.End - $edit.Start).Trim("', |".ToCharArray())
            # The last statement that begins before a place and ends after it is the innermost one.
            $at = -1
            for ($i = 0; $i -lt $statements.Count; $i++) { if ($statements[$i].Extent.StartOffset -le $edit.At -and $statements[$i].Extent.EndOffset -gt $edit.At) { $at = $i } }
            @{ Name = $name; Function = $function; Operator = $edit.Operator; Line = $ast.Extent.StartLineNumber; Statement = $at; Word = $word; Text = $mutated }
        }
    }
    # Every statement makes a directory with its number: that works in all runspaces and processes, and twice at once.
    $instrumented = $text
    for ($i = $statements.Count - 1; $i -ge 0; $i--) {
        $extent = $statements[$i].Extent
        $separator = if ($extent.StartColumnNumber -eq 1) { "`n" } else { '; ' }
        $folder = "(`$env:SMB_COVERAGE + '/$i')"
        # The first statements also run in constrained language mode, which allows the command and not the method.
        $isFirst = $extent.StartOffset -lt $text.IndexOf('Set-StrictMode')
        $make = if ($isFirst) { "`$null = New-Item -ItemType Directory -Force -Path $folder" } else { "[void][IO.Directory]::CreateDirectory$folder" }
        $instrumented = $instrumented.Insert($extent.StartOffset, "$make$separator")
    }
    @{ Mutants = @($mutants); Unparsed = $unparsed; Statements = $statements.Count; Instrumented = $instrumented }
}
