//! People: before they are saved, and who of the staff is in front of the tablet.

use super::Tablet;
use crate::{
    Finding, Likely, Person, SignedIn, StaffMember, UnlockChallenge, care::Say, convert, error::Result, json,
};

#[uniffi::export]
impl Tablet {
    /// Who may be the same as a person that is about to be saved, the likeliest first: show those that are `Likely`
    /// before a new record is made. `id` is theirs if they are here already.
    #[uniffi::method(default(id = None, language = "en-GB"))]
    pub fn likely_duplicates(
        &self,
        person: Person,
        id: Option<String>,
        language: String,
    ) -> Result<Vec<Likely>> {
        self.with(|tablet| {
            let mut person = json::said(&person)?;
            if let Some(id) = id {
                person["id"] = convert::id(&id)?.to_string().into();
            }
            let say = Say { tablet, language: &language };
            let likely = tablet.likely_duplicates(&person)?;
            Ok(likely.into_iter().map(|one| Likely::of(one, &say)).collect())
        })
    }

    /// Checks what identifies a person as it was typed, field by field: how it is stored and shown, and what to ask
    /// staff.
    #[uniffi::method(default(language = "en-GB"))]
    pub fn check_person(&self, person: Person, language: String) -> Result<Vec<Finding>> {
        self.with(|tablet| {
            let say = Say { tablet, language: &language };
            let findings = tablet.check_person(&json::said(&person)?);
            Ok(findings.iter().map(|finding| Finding::of(finding, &say)).collect())
        })
    }

    /// Active staff of this tablet's teams, by name, with whoever is locked; empty for a team without a list, whose
    /// staff type who they are.
    pub fn staff(&self) -> Result<Vec<StaffMember>> {
        self.with(|tablet| Ok(tablet.staff()?.into_iter().map(StaffMember::from).collect()))
    }

    /// The name behind a staff id, also of those who left; `None` for one that no team here has.
    pub fn staff_name(&self, id: String) -> Result<Option<String>> {
        self.with(|tablet| Ok(tablet.staff_name(&id)?))
    }

    /// Lets a member in who knows their PIN; takes a moment by intention. `pin_wrong` and `staff_locked` are
    /// `SignIn` errors with the tries that are left; further `staff_unknown` and `pin_not_set`. It gates the screen
    /// and nothing else: your app remembers who is signed in.
    pub fn sign_in(&self, staff: String, pin: String) -> Result<SignedIn> {
        self.with(|tablet| Ok(tablet.sign_in(&staff, &pin)?.into()))
    }

    /// What a member who cannot sign in reads to a coordinator, who answers with a code. It stays the same until it was
    /// answered or tried too often. `unlock_not_ready` on a tablet that has not synced yet.
    pub fn unlock_challenge(&self, staff: String) -> Result<UnlockChallenge> {
        self.with(|tablet| Ok(tablet.unlock_challenge(&staff)?.into()))
    }

    /// Lets a member in by a coordinator's code, whatever locks them, and sets a new PIN. `unlock_wrong` and
    /// `unlock_locked` are `SignIn` errors; `pin_refused` costs no try.
    pub fn unlock_staff(&self, staff: String, code: String, new_pin: String) -> Result<()> {
        self.with(|tablet| Ok(tablet.unlock(&staff, &code, &new_pin)?))
    }
}
