//! Smoking status: our codes, SNOMED CT (DHC) and the NHS Data Dictionary's (June 2026).

spelt! {
    /// `lifestyle/smoking`. The spelling is D; the amounts are those of the SNOMED codes.
    Smoking {
        Never = "never", "Never smoked";
        Ex = "ex", "Used to smoke";
        Light = "light", "Smokes 1 to 9 a day";
        Moderate = "moderate", "Smokes 10 to 19 a day";
        Heavy = "heavy", "Smokes 20 to 39 a day";
        VeryHeavy = "very_heavy", "Smokes 40 or more a day";
        Current = "current", "Smokes, amount not known";
        NonSmoker = "non_smoker", "Does not smoke, history not known";
        NotStated = "not_stated", "Asked, chose not to say";
        Unknown = "unknown", "Not known";
    }
}

impl Smoking {
    /// `None` where no code was at hand: export the data dictionary's then.
    pub const fn snomed(self) -> Option<&'static str> {
        Some(match self {
            Smoking::Never => "266919005",
            Smoking::Ex => "8517006",
            Smoking::Light => "160603005",
            Smoking::Moderate => "160604004",
            Smoking::Heavy => "160605003",
            Smoking::VeryHeavy => "160606002",
            Smoking::Current | Smoking::NonSmoker | Smoking::NotStated | Smoking::Unknown => return None,
        })
    }

    /// The data dictionary's code.
    pub const fn data_dictionary(self) -> &'static str {
        match self {
            Smoking::Light | Smoking::Moderate | Smoking::Heavy | Smoking::VeryHeavy | Smoking::Current => {
                "1"
            }
            Smoking::Ex => "2",
            Smoking::NonSmoker => "3",
            Smoking::Never => "4",
            Smoking::NotStated => "Z",
            Smoking::Unknown => "9",
        }
    }

    /// Whether to offer help to stop.
    pub fn is_current(self) -> bool {
        self.data_dictionary() == "1"
    }

    /// Of somebody who smokes this many a day; `None` for none: ask whether they ever did.
    pub const fn from_a_day(cigarettes: u32) -> Option<Self> {
        match cigarettes {
            0 => None,
            1..=9 => Some(Smoking::Light),
            10..=19 => Some(Smoking::Moderate),
            20..=39 => Some(Smoking::Heavy),
            40.. => Some(Smoking::VeryHeavy),
        }
    }
}
