//! `note`: writes a sentence into the journal. The cheapest step there is, with the same journal entries as any other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::step::{
    ActContext, Change, Claim, Effect, Evidence, Kind, Mark, Nature, OnUnknown, Plan, Receipt, Revert, Risk, Standing, StepError, StepKind,
    Verdict, View, World,
};

/// Writes a sentence into the run's journal, for whoever reads it later.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The sentence.
    #[schemars(length(min = 1, max = 4000))]
    pub text: String,
}

/// The note to be written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Noting {
    text: String,
}

/// The one act of a note; the journal entry that holds it is the note.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Write(String);

impl std::fmt::Display for Write {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "note {}", self.0)
    }
}

impl StepKind for Note {
    const KIND: Kind = Kind {
        name: "note",
        summary: "writes a sentence into the journal",
        nature: Nature::Once,
        risk: Risk::Safe,
        needs: &[],
        on_unknown: OnUnknown::ActAgain,
        example: r#"playbook: example-note
steps:
  - id: remark
    note: {text: "the old endpoint is still served by release 1.5"}
"#,
    };
    type Change = Noting;
    type Act = Write;

    fn resources(&self) -> Vec<Claim> {
        Vec::new()
    }

    async fn inspect(&self, _: &World) -> Result<View, StepError> {
        Ok(View::default())
    }

    fn plan(&self, _: &View) -> Plan<Noting> {
        let effects = vec![Effect { mark: Mark::Create, what: "note".to_owned(), from: None, to: Some(self.text.clone()) }];
        Plan::Change(Change { change: Noting { text: self.text.clone() }, effects, binding: Value::Null })
    }

    fn leave(&self, _: &Noting, _: &mut View) {}

    fn acts(&self, change: &Noting) -> Vec<Write> {
        vec![Write(change.text.clone())]
    }

    async fn standing(&self, _: &ActContext, _: &Noting, _: &Write) -> Result<Standing, StepError> {
        Ok(Standing::Before)
    }

    async fn act(&self, _: &ActContext, _: &Noting, _: &Write) -> Result<Receipt, StepError> {
        Ok(Receipt::said("noted"))
    }

    async fn verify(&self, context: &ActContext, _: Option<&Noting>) -> Result<Verdict, StepError> {
        // Why: the receipt comes from the journal, so having one is having the note.
        Ok(match context.receipts.first() {
            Some(_) => Verdict::Holds(Evidence::said(self.text.clone())),
            None => Verdict::Broken("the note was not written".to_owned()),
        })
    }

    fn revert(&self, _: &Noting, _: &[Receipt]) -> Revert {
        Revert::Nothing
    }
}
