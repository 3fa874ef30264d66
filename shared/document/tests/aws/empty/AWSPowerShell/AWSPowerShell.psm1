# AWS tools that load, and lack the command.
$null
