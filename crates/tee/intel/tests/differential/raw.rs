//! Bytes and characters changed after everything was signed.

use serde_json::Value;

use crate::dice::Dice;
use crate::judges::Trial;

/// Changes one place of quote or collateral.
pub(crate) fn mutate(dice: &mut Dice, trial: &mut Trial) {
    if dice.one_in(3) {
        let before = trial.quote.clone();
        let (what, at) = change(dice, &mut trial.quote, Dice::byte);
        if trial.quote == before {
            trial.quote[at] ^= 1 << dice.below(8);
        }
        trial.notes.push(format!("quote: {what} at {at}"));
        return;
    }
    let names: Vec<String> = trial.collateral.keys().cloned().collect();
    let name = dice.pick(&names);
    if dice.one_in(40) {
        trial.collateral.remove(&name);
        trial.notes.push(format!("{name}: taken away"));
        return;
    }
    let mut text = trial.collateral[&name].as_str().unwrap().as_bytes().to_vec();
    let before = text.clone();
    // Printable characters and line feeds, so that it stays text.
    let (what, at) = change(dice, &mut text, |dice| match dice.below(97) {
        95.. => b'\n',
        n => 0x20 + n as u8,
    });
    if text == before {
        text[at] ^= 1;
    }
    trial.notes.push(format!("{name}: {what} at {at}"));
    trial.collateral.insert(name, Value::String(String::from_utf8(text).unwrap()));
}

fn change(dice: &mut Dice, bytes: &mut Vec<u8>, random: impl Fn(&mut Dice) -> u8) -> (&'static str, usize) {
    let at = dice.below(bytes.len());
    match dice.below(10) {
        0 => {
            bytes.insert(at, random(dice));
            ("inserted", at)
        }
        1 => {
            bytes.remove(at);
            ("removed", at.min(bytes.len() - 1))
        }
        2 => {
            bytes.truncate(at.max(1));
            ("cut", at.max(1) - 1)
        }
        3 => {
            let more = random(dice);
            bytes.push(more);
            ("appended", bytes.len() - 1)
        }
        _ => {
            bytes[at] = random(dice);
            ("changed", at)
        }
    }
}
