//! The reference page of the causes, made from their table.

use std::fmt::Write as _;

use shared::cause::{self, Class, QuickRetries, Row};

const HEAD: &str = r"<!-- Made from the table of causes by `make causes-doc`; do not edit. -->

# Causes

This page is for operators who find an instance without its mapping. `make report`, the log and the attribute `smb.<letter>.state` name a
cause; this page says what it means and what to do about it.

A cause is a code of Windows, by Microsoft's list of
[system error codes](https://learn.microsoft.com/windows/win32/debug/system-error-codes), or a word of the mapping script
or the functions. Its class says where the fault may lie, and whether the instance may be drained for it:

| class | where the fault may lie | drained |
|---|---|---|
";

const AFTER_CLASSES: &str = r"
* **Quick retries** follow the first failure after 1, 2, 4, 8 × `RetryBaseSeconds`: `MaxAttempts` of them (*all*), *once*, or
  *never*. After them a cause of class network or directory is tried again every 10 × `RetryBaseSeconds`, any other every
  `ReprobeMinutes`, without end.
* **Sooner** than that: a cause of class network, directory or configuration when another instance recovers, and one of class
  credentials when a parameter changes or an instance logs on.
* The **exit code** is the script's: 75 where the fault may pass by itself, 78 where somebody has to change something. 67 and
  161 get one quick retry in spite of their 78, because a share may be created at that moment. Systems Manager distinguishes
  only 0 from all others. A check that finds the letter free (`not-mapped`) ends with 0, because it did its work. A cause
  without an exit code comes from the functions: Systems Manager reported the command without a result line.
* A code that is not listed is of class unknown. A word that is not listed is stored as `unlisted`.
";

/// The whole page.
pub fn causes_page() -> String {
    let mut page = HEAD.to_owned();
    for class in Class::ALL {
        let (fault, drained) = of_class(class);
        line(&mut page, format_args!("| [{class}](#{class}) | {fault} | {drained} |"));
    }
    page.push_str(AFTER_CLASSES);
    for class in Class::ALL {
        line(&mut page, format_args!("\n## {class}\n\n| cause | means | do | quick retries | exit code |"));
        line(&mut page, format_args!("|---|---|---|---|---|"));
        for row in cause::known().filter(|row| row.class == class) {
            line(&mut page, format_args!("{}", cells(row)));
        }
    }
    page
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(page, "{text}").expect("a string takes everything");
}

/// Where a fault of the class may lie, and whether it drains.
fn of_class(class: Class) -> (&'static str, &'static str) {
    const WITNESSED: &str =
        "where three other instances (in a smaller fleet, all others) reached the share meanwhile";
    match class {
        Class::Network => ("the way to the file server, DNS, Parameter Store", WITNESSED),
        Class::Directory => ("the domain controllers", WITNESSED),
        Class::Credentials => ("the account or its password", "never"),
        Class::Configuration => ("a setting, a policy, the share itself", "never"),
        Class::Host => ("the instance itself", "yes, within budget and breaker"),
        Class::Unknown => ("not known: there is no result, or a cause that is not listed", "never"),
    }
}

fn cells(row: &Row) -> String {
    let name = if row.name.is_empty() { String::new() } else { format!(" {}", row.name) };
    let retries = match row.quick_retries {
        QuickRetries::All => "all",
        QuickRetries::Once => "once",
        QuickRetries::Never => "never",
    };
    let exit = row.exit_code().map_or_else(|| "–".to_owned(), |code| code.to_string());
    let (meaning, remedy) = (markdown(row.meaning), markdown(row.remedy));
    format!("| `{}`{name} | {meaning} | {remedy} | {retries} | {exit} |", row.cause)
}

/// Plain text in a cell of a table.
fn markdown(text: &str) -> String {
    text.replace('\\', r"\\").replace('|', r"\|")
}
