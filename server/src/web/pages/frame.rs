//! What stands around every page.

use std::sync::Arc;

use super::super::{Door, Visitor, assets};

pub struct Frame {
    /// What the organisation calls its service.
    pub service: String,
    pub title: String,
    /// Who is signed in.
    pub account: Option<String>,
    pub may_settle: bool,
    pub may_administer: bool,
    /// What the live channel said last when this page was made.
    pub heads: String,
    /// What one new item of this page's list is called, for the announcement.
    pub live_word: &'static str,
    /// The address of the current part in the navigation.
    pub part: &'static str,
}

impl Frame {
    pub fn new(door: &Arc<Door>, visitor: &Visitor, title: &str) -> Frame {
        Frame {
            service: door.web.name.clone(),
            title: title.to_owned(),
            account: visitor.name().map(str::to_owned),
            may_settle: visitor.may_settle(),
            may_administer: visitor.may_administer(),
            heads: door.web.base.viewed().borrow().clone(),
            live_word: "",
            part: "",
        }
    }

    pub fn titled(mut self, title: impl Into<String>, part: &'static str, live_word: &'static str) -> Frame {
        self.title = title.into();
        self.part = part;
        self.live_word = live_word;
        self
    }

    pub fn style(&self) -> String {
        assets::style()
    }

    pub fn script(&self) -> String {
        assets::script()
    }

    pub fn today_script(&self) -> String {
        assets::today_script()
    }

    pub fn icon(&self) -> String {
        assets::icon()
    }
}
