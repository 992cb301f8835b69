//! Metric math, as far as scaling policies need it: numbers, ids, `+ - * /`, comparisons, parentheses, `FILL(m, number)` and
//! `IF(condition, then, else)`.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>

/// Parentheses within each other.
const MAX_DEPTH: usize = 50;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Number(f64),
    Id(String),
    Binary(Box<Self>, Operator, Box<Self>),
    /// The first, or the second where the first is missing.
    Fill(Box<Self>, Box<Self>),
    If(Box<[Self; 3]>),
}

/// What stands between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// The longer ones before those that they begin with.
const COMPARISONS: [(&str, Operator); 6] = [
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
];
const SUMS: [(&str, Operator); 2] = [("+", Operator::Add), ("-", Operator::Subtract)];
const PRODUCTS: [(&str, Operator); 2] = [("*", Operator::Multiply), ("/", Operator::Divide)];

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text, depth: 0 };
        let expression = reader.comparison()?;
        match reader.rest.trim_start() {
            "" => Ok(expression),
            rest => Err(format!(
                "the emulator knows numbers, ids, + - * /, comparisons, parentheses, FILL and IF, and does not understand `{rest}`"
            )),
        }
    }

    /// The ids in it.
    pub(crate) fn ids(&self) -> Vec<&str> {
        match self {
            Self::Number(_) => vec![],
            Self::Id(id) => vec![id],
            Self::Binary(left, _, right) | Self::Fill(left, right) => [left.ids(), right.ids()].concat(),
            Self::If(parts) => parts.iter().flat_map(Self::ids).collect(),
        }
    }

    /// Its value, which is missing where a value that it needs is, or where it divides by zero.
    pub(crate) fn value(&self, of: &impl Fn(&str) -> Option<f64>) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Id(id) => of(id),
            Self::Binary(left, operator, right) => {
                let value = operator.apply(left.value(of)?, right.value(of)?);
                value.is_finite().then_some(value)
            }
            Self::Fill(value, otherwise) => value.value(of).or_else(|| otherwise.value(of)),
            Self::If(parts) => {
                let [condition, then, otherwise] = parts.as_ref();
                if condition.value(of)? == 0.0 { otherwise.value(of) } else { then.value(of) }
            }
        }
    }
}

impl Operator {
    fn apply(self, left: f64, right: f64) -> f64 {
        let truth = |is_true: bool| f64::from(u8::from(is_true));
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Less => truth(left < right),
            Self::LessOrEqual => truth(left <= right),
            Self::Greater => truth(left > right),
            Self::GreaterOrEqual => truth(left >= right),
            #[expect(clippy::float_cmp, reason = "the expression asks for it")]
            Self::Equal => truth(left == right),
            #[expect(clippy::float_cmp, reason = "the expression asks for it")]
            Self::NotEqual => truth(left != right),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn comparison(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("it has more than {MAX_DEPTH} parentheses within each other"));
        }
        let expression = self.chain(&COMPARISONS, Self::sum);
        self.depth -= 1;
        expression
    }

    fn sum(&mut self) -> Result<Expression, String> {
        self.chain(&SUMS, Self::product)
    }

    fn product(&mut self) -> Result<Expression, String> {
        self.chain(&PRODUCTS, Self::operand)
    }

    /// Operands with operators of one rank between them, from the left.
    fn chain(
        &mut self,
        operators: &[(&str, Operator)],
        operand: fn(&mut Self) -> Result<Expression, String>,
    ) -> Result<Expression, String> {
        let mut expression = operand(self)?;
        while let Some((_, operator)) = operators.iter().find(|(text, _)| self.takes(text)) {
            expression = Expression::Binary(Box::new(expression), *operator, Box::new(operand(self)?));
        }
        Ok(expression)
    }

    fn operand(&mut self) -> Result<Expression, String> {
        if self.takes("(") {
            let inner = self.comparison()?;
            return self.expect(")").map(|()| inner);
        }
        if self.takes("-") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err("it has too many signs".to_owned());
            }
            let operand = self.operand();
            self.depth -= 1;
            let zero = Box::new(Expression::Number(0.0));
            return Ok(Expression::Binary(zero, Operator::Subtract, Box::new(operand?)));
        }
        let word = self.word();
        match word {
            "" => Err("it ends, or has an operator, where a number, an id or a parenthesis has to be".to_owned()),
            "FILL" => {
                self.expect("(")?;
                let value = self.comparison()?;
                self.expect(",")?;
                let otherwise = self.comparison()?;
                self.expect(")")?;
                Ok(Expression::Fill(Box::new(value), Box::new(otherwise)))
            }
            "IF" => {
                self.expect("(")?;
                let condition = self.comparison()?;
                self.expect(",")?;
                let then = self.comparison()?;
                self.expect(",")?;
                let otherwise = self.comparison()?;
                self.expect(")")?;
                Ok(Expression::If(Box::new([condition, then, otherwise])))
            }
            id if id.starts_with(|first: char| first.is_ascii_lowercase()) => Ok(Expression::Id(id.to_owned())),
            number => {
                number.parse().map(Expression::Number).map_err(|_| format!("the emulator does not know `{word}`"))
            }
        }
    }

    /// A number, an id or a function's name.
    fn word(&mut self) -> &str {
        let text = self.rest.trim_start();
        let is_part = |part: char| part.is_ascii_alphanumeric() || part == '_' || part == '.';
        let (word, rest) = text.split_at(text.find(|part| !is_part(part)).unwrap_or(text.len()));
        self.rest = rest;
        word
    }

    fn takes(&mut self, text: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, text: &str) -> Result<(), String> {
        if self.takes(text) { Ok(()) } else { Err(format!("it lacks a `{text}` before `{}`", self.rest.trim_start())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<f64> {
        let of = |id: &str| match id {
            "m1" => Some(12.0),
            "m2" => Some(5.0),
            "zero" => Some(0.0),
            _ => None,
        };
        Expression::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}")).value(&of)
    }

    #[test]
    fn expressions_have_the_values_that_arithmetic_gives_them() {
        for (text, expected) in [
            ("m1 / m2", Some(2.4)),
            ("m1-m2-1", Some(6.0)),
            ("m1 + m2 * 2", Some(22.0)),
            ("(m1 + m2) * -2", Some(-34.0)),
            ("m1 / zero", None),
            ("m1 / missing", None),
            ("m1 / FILL(missing, 1)", Some(12.0)),
            ("IF(m2 > 0, m1 / m2, m1)", Some(2.4)),
            ("IF(zero > 0, m1 / zero, m1)", Some(12.0)),
            ("IF(m1 <= 12, 1, 2)", Some(1.0)),
            ("m1 != m2", Some(1.0)),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
        assert_eq!(Expression::parse("IF(a > 0, b / a, c)").unwrap().ids(), ["a", "b", "a", "c"]);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, expected) in [
            ("m1 +", "it ends"),
            ("m1 % 2", "does not understand `% 2`"),
            ("SUM(METRICS())", "does not know `SUM`"),
            ("(m1", "lacks a `)`"),
            ("FILL(m1)", "lacks a `,`"),
            (&"(".repeat(2000), "parentheses within each other"),
            (&"-".repeat(2000), "too many signs"),
        ] {
            let problem = Expression::parse(text).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
