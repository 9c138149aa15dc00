//! What a scalar is: the core schema of YAML 1.2, with the numbers of Go.

use saphyr_parser::ScalarStyle;

use crate::compose::tree::Value;

/// A scalar as a value. `tag` is as it is written: `!!str`.
pub(super) fn scalar(text: &str, style: ScalarStyle, tag: Option<&str>) -> Value {
    let plain = || resolve(text);
    match tag {
        Some("!!str" | "!!binary" | "!!timestamp") => Value::String(text.to_owned()),
        Some("!!int" | "!!float" | "!!bool" | "!!null") => plain(),
        _ if style == ScalarStyle::Plain => plain(),
        _ => Value::String(text.to_owned()),
    }
}

/// A plain text as a value.
fn resolve(text: &str) -> Value {
    let Some(first) = text.bytes().next() else { return Value::Null };
    match text {
        "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if (first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.'))
        && let Some(number) = number(text)
    {
        return number;
    }
    Value::String(text.to_owned())
}

fn number(text: &str) -> Option<Value> {
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.as_bytes().first()? {
        b'-' => (true, &plain[1..]),
        b'+' => (false, &plain[1..]),
        _ => (false, plain.as_str()),
    };
    let of = |radix: u32, digits: &str| {
        let all = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
        all.then(|| i128::from_str_radix(digits, radix).ok()).flatten()
    };
    let (prefix, rest) = (digits.get(..2).unwrap_or_default(), digits.get(2..).unwrap_or_default());
    let whole = match prefix {
        "0x" | "0X" => of(16, rest),
        "0o" | "0O" => of(8, rest),
        "0b" | "0B" => of(2, rest),
        // Go reads a leading zero as octal; `08` is a float of the decimal form then.
        _ if digits.len() > 1 && digits.starts_with('0') => of(8, digits),
        _ => of(10, digits),
    };
    if let Some(number) = whole {
        let number = if negative { -number } else { number };
        #[expect(clippy::cast_precision_loss, reason = "numbers beyond 64 bits are floats")]
        return Some(i64::try_from(number).map_or(Value::Float(number as f64), Value::Int));
    }
    let (mantissa, exponent) = digits.split_once(['e', 'E']).map_or((digits, None), |(mantissa, exponent)| (mantissa, Some(exponent)));
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_float = all_digits(before)
        && all_digits(after)
        && !(before.is_empty() && after.is_empty())
        && exponent.is_none_or(|exponent| {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !digits.is_empty() && all_digits(digits)
        });
    is_float.then(|| plain.parse().ok().map(Value::Float)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_those_of_compose() {
        let of = |text: &str| scalar(text, ScalarStyle::Plain, None);
        assert_eq!(scalar("12", ScalarStyle::SingleQuoted, None), Value::String("12".to_owned()));
        assert_eq!(scalar("12", ScalarStyle::Plain, Some("!!str")), Value::String("12".to_owned()));
        assert_eq!(of("yes"), Value::String("yes".to_owned()));
        assert_eq!(of("true"), Value::Bool(true));
        assert_eq!(of("0777"), Value::Int(511));
        assert_eq!(of("0o17"), Value::Int(15));
        assert_eq!(of("0x1F"), Value::Int(31));
        assert_eq!(of("1_000"), Value::Int(1000));
        assert_eq!(of("1e3"), Value::Float(1000.0));
        assert_eq!(of("12:30"), Value::String("12:30".to_owned()));
        assert_eq!(of("~"), Value::Null);
        assert_eq!(of(""), Value::Null);
        assert_eq!(of("08"), Value::Float(8.0));
    }
}
