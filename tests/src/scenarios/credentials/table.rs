//! The scenarios by name, with what the model in Python measured of the same rule.

use std::pin::Pin;
use std::time::Duration;

use super::alone::{Beside, lost_drive, new_hosts};
use super::changed::{both, parameter_follows, parameter_wrong, registers_again};
use super::deployment::Played;
use super::first::{Before, adopted, fifth_correction, wrong_password};
use super::outages::{blocked, server_away, silent_script, steady};
use super::waves::{Known, directory_changed, one_at_a_time, ordinary, restarted};

/// A history that a seed gives.
type History = fn(u64) -> Pin<Box<dyn Future<Output = Played>>>;

/// One scenario.
#[derive(Debug)]
pub struct Scenario {
    /// The model's name for it.
    pub name: &'static str,
    /// What happens.
    pub what: &'static str,
    /// What the model measured.
    pub model: Model,
    pub(super) history: History,
}

/// What the model measured of the rule, over three seeds.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    /// Most bad log-ons within 30 minutes.
    pub most: usize,
    /// The directory's count at its highest.
    pub highest: usize,
    /// Locks at thresholds 5 and 10, then with three counts for one log-on.
    pub locks: [usize; 4],
    /// The range of each delay, or a list of one value for each repetition.
    pub delays: &'static [(&'static str, &'static [i64])],
}

macro_rules! scenarios {
    ($($name:literal $what:literal $history:expr; $most:literal $highest:literal $locks:tt $($delay:ident $values:expr),*;)*) => {
        /// All scenarios, the most important first.
        pub const SCENARIOS: &[Scenario] = &[$(Scenario {
            name: $name,
            what: $what,
            model: Model { most: $most, highest: $highest, locks: $locks, delays: &[$((stringify!($delay), &$values)),*] },
            history: |seed| Box::pin($history(seed)),
        }),*];
    };
}

scenarios! {
    "S1quick" "50 hosts, wrong password for 4 h" |seed| wrong_password(seed, Duration::ZERO);
        2 2 [0, 0, 8, 0] heal [155, 175];
    "S1slow" "the same, scripts take 270 s longer" |seed| wrong_password(seed, Duration::from_secs(270));
        2 2 [0, 0, 6, 0] heal [575, 835];
    "S1fix5" "the same, corrected every 4 min, the fifth time rightly" fifth_correction;
        3 3 [0, 0, 1, 0] heal [1145, 1245];
    "S2" "20 mapped, wrong parameter for 1 h, 30 new hosts" parameter_wrong;
        2 2 [0, 0, 1, 0] heal [95, 135], oldest [1622, 1701], open [20];
    "S4_40" "40 mapped, directory changed, parameter follows after 2 h" |seed| parameter_follows(seed, 0);
        3 3 [0, 0, 4, 0] heal [95, 135], oldest [7690, 7958], all_B [485, 590], bad_after [39];
    "S4_40_live" "the same, the drive is in use on 30 hosts" |seed| parameter_follows(seed, 30);
        3 3 [0, 0, 4, 0] heal [95, 125], oldest [7188, 7289], all_B [395, 815], bad_after [5, 9];
    "S3_40" "40 mapped, directory and parameter changed at once" both;
        25 1 [0, 0, 0, 0] looked [1650, 1770], shut [0];
    "S8seed" "10 hosts, wrong password, who is refused registers again" registers_again;
        2 2 [0, 0, 3, 0];
    "L1" "1 of 40 refused alone, a drive lost six times elsewhere" |seed| lost_drive(seed, 1);
        2 2 [0, 0, 1, 0] noticed_min [11, 18, 30, 17, 17, 6], oldest_min [29, 29, 28, 30, 29, 29], failed_open [0];
    "L2" "2 of 40 refused alone" |seed| lost_drive(seed, 2);
        2 2 [0, 0, 2, 0] noticed_min [13, 3, 30, 19, 27, 22], oldest_min [17, 30, 29, 30, 28, 29], failed_open [0];
    "L5" "5 of 40 refused alone" |seed| lost_drive(seed, 5);
        3 2 [0, 0, 3, 0] noticed_min [43, 2, 2, 22, 2, 25], oldest_min [80, 29, 30, 30, 28, 28], failed_open [0];
    "L10" "10 of 40 refused alone" |seed| lost_drive(seed, 10);
        3 3 [0, 0, 6, 0] noticed_min [141, 16, 28, 25, 26, 20], oldest_min [85, 272, 29, 30, 27, 30], failed_open [0];
    "N0" "a new host every 10 min, 4 h" |seed| new_hosts(seed, Beside::Refused, 0);
        0 0 [0, 0, 0, 0] n [24], med [50, 94], p90 [73, 111], max [73, 112];
    "N1lone" "the same beside one refused host" |seed| new_hosts(seed, Beside::Refused, 1);
        2 2 [0, 0, 1, 0] n [24], med [54, 93], p90 [72, 111], max [73, 116];
    "N2lie" "the same beside two hosts that only say so" |seed| new_hosts(seed, Beside::Lying, 2);
        0 0 [0, 0, 0, 0] n [24], med [72, 103], p90 [344, 661], max [1571, 1919];
    "N5lone" "the same beside five refused hosts" |seed| new_hosts(seed, Beside::Refused, 5);
        2 2 [0, 0, 2, 0] n [24], med [65, 102], p90 [853, 1402], max [1472, 1953];
    "W001" "1 new host, password last accepted 10 h ago" |seed| ordinary(seed, 1, false);
        0 0 [0, 0, 0, 0] first [48, 74], med [48, 74], last [48, 74];
    "W010" "10 new hosts" |seed| ordinary(seed, 10, false);
        0 0 [0, 0, 0, 0] first [32, 65], med [88, 110], last [108, 135];
    "W050" "50 new hosts" |seed| ordinary(seed, 50, false);
        0 0 [0, 0, 0, 0] first [49, 55], med [100, 116], last [129, 148];
    "W200" "200 new hosts" |seed| ordinary(seed, 200, false);
        0 0 [0, 0, 0, 0] first [38, 55], med [135, 157], last [212, 254];
    "W050hang" "50 new hosts, the first one hangs" |seed| ordinary(seed, 50, true);
        0 0 [0, 0, 0, 0] first [134, 178], med [174, 220], last [208, 249];
    "X010" "10 new hosts, directory changed unnoticed" |seed| directory_changed(seed, 10, Known::Idle);
        2 2 [0, 0, 2, 0] bad_of_wave [1, 3];
    "X050" "50 new hosts, the same" |seed| directory_changed(seed, 50, Known::Idle);
        2 2 [0, 0, 2, 0] bad_of_wave [1, 3];
    "X050live" "the same, the drive is in use on all mapped hosts" |seed| directory_changed(seed, 50, Known::Live);
        2 2 [0, 0, 2, 0] bad_of_wave [4];
    "X050warm" "the same, one host let in shortly before" |seed| directory_changed(seed, 50, Known::Warm);
        2 2 [0, 0, 2, 0] bad_of_wave [2, 3];
    "A40" "40 hosts mapped by hand" |seed| adopted(seed, Before::MappedByHand);
        0 0 [0, 0, 0, 0] adopted [200, 225], maps [15], checks [1];
    "A40wrong" "the same, wrong parameters" |seed| adopted(seed, Before::ParameterWrong);
        2 2 [0, 0, 2, 0] adopted [190, 235];
    "A40un" "40 hosts that are not mapped" |seed| adopted(seed, Before::NotMapped);
        0 0 [0, 0, 0, 0] mapped [205, 260];
    "O20_5" "file server away 20 min, 5 hosts" |seed| server_away(seed, 20, 5);
        0 0 [0, 0, 0, 0] shut [1, 2], heal [80, 255], drains [0];
    "O20_40" "20 min, 40 hosts" |seed| server_away(seed, 20, 40);
        0 0 [0, 0, 0, 0] shut [5, 10], heal [50, 85], drains [0];
    "O90_40" "90 min, 40 hosts" |seed| server_away(seed, 90, 40);
        0 0 [0, 0, 0, 0] shut [37, 40], heal [60, 95], drains [0];
    "G25dir" "a new host every 25 min, directory changed, drives in use" one_at_a_time;
        2 2 [0, 0, 7, 0];
    "B10" "10 hosts, script silent for 60 min" silent_script;
        0 0 [0, 0, 0, 0] heal [425, 480], oldest [4950, 5113];
    "K10" "10 of 110 hosts blocked for 3 h" blocked;
        0 0 [0, 0, 0, 0] heal [35, 65], drained_at_min [87, 87, 87, 87, 87, 87, 87, 87, 87, 87];
    "R50" "50 of 60 hosts restart" |seed| restarted(seed, false);
        0 0 [0, 0, 0, 0] all_back [125, 275];
    "R50dir" "the same, directory changed in the night" |seed| restarted(seed, true);
        3 3 [0, 0, 2, 0];
    "T40d20lone2" "40 hosts, checks of 20 s, 2 refused alone" |seed| steady(seed, 40, 20, 2);
        2 2 [0, 0, 1, 0] oldest_max_min [31, 33], oldest_med [28, 29], silent [0], unwell [0, 2];
    "T500d12" "500 hosts, checks of 12 s" |seed| steady(seed, 500, 12, 0);
        0 0 [0, 0, 0, 0] oldest_max_min [64], oldest_med [61], silent [0], unwell [0];
    "T500lone1" "the same, 1 refused alone" |seed| steady(seed, 500, 12, 1);
        2 2 [0, 0, 1, 0] oldest_max_min [119], oldest_med [114], silent [0], unwell [210];
}
