//! The little of Protocol Buffers that ONNX needs: messages of numbers, texts and messages, written front to back.
//!
//! Field numbers are those of `onnx.proto3` of ONNX 1.8. Repeated numbers are written one by one, which every reader
//! takes. A library for Protocol Buffers would hold all weights in memory to learn the length of what encloses them;
//! here lengths come from shapes, so a model is written while its weights stream by.

/// An encoded message.
#[derive(Debug, Clone, Default)]
pub(super) struct Message(pub Vec<u8>);

const VARINT: u64 = 0;
const LENGTH_DELIMITED: u64 = 2;
const FIXED_32: u64 = 5;

/// `AttributeProto.type`.
const FLOAT: i64 = 1;
const INT: i64 = 2;
const INTS: i64 = 7;

impl Message {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn int(mut self, field: u64, value: i64) -> Self {
        self.varint(field << 3 | VARINT);
        self.varint(value.cast_unsigned());
        self
    }

    pub fn float(mut self, field: u64, value: f32) -> Self {
        self.varint(field << 3 | FIXED_32);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn bytes(self, field: u64, value: &[u8]) -> Self {
        let mut message = self.begin(field, value.len() as u64);
        message.0.extend(value);
        message
    }

    pub fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    pub fn message(self, field: u64, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }

    /// The head of a field whose `length` bytes follow elsewhere.
    pub fn begin(mut self, field: u64, length: u64) -> Self {
        self.varint(field << 3 | LENGTH_DELIMITED);
        self.varint(length);
        self
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// A `NodeProto` under construction.
pub(super) struct Node(Message);

impl Node {
    pub fn new(operator: &str, name: &str) -> Self {
        Self(Message::new().text(3, name).text(4, operator))
    }

    pub fn input(self, name: impl AsRef<str>) -> Self {
        Self(self.0.text(1, name.as_ref()))
    }

    pub fn int(self, name: &str, value: usize) -> Self {
        Self(self.0.message(5, &Message::new().text(1, name).int(3, value as i64).int(20, INT)))
    }

    pub fn ints(self, name: &str, values: &[usize]) -> Self {
        let list = values.iter().fold(Message::new().text(1, name), |list, value| list.int(8, *value as i64));
        Self(self.0.message(5, &list.int(20, INTS)))
    }

    pub fn float(self, name: &str, value: f64) -> Self {
        Self(self.0.message(5, &Message::new().text(1, name).float(2, value as f32).int(20, FLOAT)))
    }

    pub fn output(self, name: &str) -> Message {
        self.0.text(2, name)
    }
}

/// A `TensorProto` of `f32` up to the head of its `raw_data`.
pub(super) fn tensor_head(name: &str, shape: &[usize]) -> Message {
    let bytes = 4 * shape.iter().product::<usize>();
    let dims = shape.iter().fold(Message::new(), |message, length| message.int(1, *length as i64));
    dims.int(2, ELEMENT_FLOAT).text(8, name).begin(9, bytes as u64)
}

/// A `TensorProto` of a few values.
pub(super) fn tensor(name: &str, shape: &[usize], values: &[f32]) -> Message {
    let mut message = tensor_head(name, shape);
    message.0.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    message
}

/// `TensorProto.DataType.FLOAT`.
const ELEMENT_FLOAT: i64 = 1;

/// A `ValueInfoProto` of `f32` `[N, ..shape]` with any N.
pub(super) fn value_info(name: &str, shape: &[usize]) -> Message {
    let batch = Message::new().message(1, &Message::new().text(2, "N"));
    let dims =
        shape.iter().fold(batch, |dims, length| dims.message(1, &Message::new().int(1, *length as i64)));
    let tensor = Message::new().int(1, ELEMENT_FLOAT).message(2, &dims);
    Message::new().text(1, name).message(2, &Message::new().message(1, &tensor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_protocol_buffers_defines() {
        // The examples of the encoding's own documentation.
        assert_eq!(Message::new().int(1, 150).0, [0x08, 0x96, 0x01]);
        assert_eq!(Message::new().text(2, "testing").0, b"\x12\x07testing");
        assert_eq!(Message::new().message(3, &Message::new().int(1, 150)).0, [0x1a, 3, 0x08, 0x96, 0x01]);
        assert_eq!(Message::new().int(1, -2).0, b"\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
        assert_eq!(Message::new().float(2, 1.0).0, [0x15, 0, 0, 0x80, 0x3f]);
    }
}
