//! A digest in words, so that two people can compare it by reading it aloud.

mod english;

use std::fmt;
use std::str::FromStr;

use crate::Digest32;
use english::WORDS;

/// Bits of one word.
const WORD_BITS: usize = 11;

/// The text is not eight words of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected eight words of the list, with spaces or hyphens between them")]
pub struct NotDigestWords;

/// The first 88 bits of a digest as eight words of the BIP-39 list.
///
/// They show that two screens mean the same document. Somebody who may choose both documents finds two with the same
/// words in 2^44 attempts, so what is signed and stored is the whole digest; the words only find out a hostile page,
/// which would have to match a given digest, in 2^88.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DigestWords([u16; Self::COUNT]);

impl DigestWords {
    /// How many words there are.
    pub const COUNT: usize = 8;

    /// The words of a digest.
    #[must_use]
    pub fn of(digest: &Digest32) -> Self {
        let octets = digest.as_bytes();
        Self(std::array::from_fn(|word| {
            (word * WORD_BITS..(word + 1) * WORD_BITS).fold(0, |index, bit| {
                let octet = u16::from(octets[bit / 8]);
                index << 1 | (octet >> (7 - bit % 8) & 1)
            })
        }))
    }

    /// Whether these are the words of `digest`.
    #[must_use]
    pub fn matches(&self, digest: &Digest32) -> bool {
        *self == Self::of(digest)
    }

    /// Each word, in order.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.0.into_iter().map(|index| WORDS[usize::from(index)])
    }
}

impl fmt::Display for DigestWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.words().enumerate() {
            let space = if index > 0 { " " } else { "" };
            write!(f, "{space}{word}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for DigestWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DigestWords({self})")
    }
}

impl FromStr for DigestWords {
    type Err = NotDigestWords;

    /// Reads the words in upper or lower case, with spaces or hyphens between them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text
            .split(|c: char| c.is_whitespace() || c == '-')
            .filter(|word| !word.is_empty());
        let mut indices = [0; Self::COUNT];
        for index in &mut indices {
            let word = words.next().ok_or(NotDigestWords)?.to_ascii_lowercase();
            let place = WORDS
                .binary_search(&word.as_str())
                .map_err(|_| NotDigestWords)?;
            *index = u16::try_from(place).map_err(|_| NotDigestWords)?;
        }
        match words.next() {
            None => Ok(Self(indices)),
            Some(_) => Err(NotDigestWords),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sha256;

    #[test]
    fn the_list_is_the_published_one() {
        let text = WORDS.join("\n") + "\n";
        let published = "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda";
        assert_eq!(sha256(&[text.as_bytes()]).to_string(), published);
        assert!(WORDS.is_sorted());
    }

    /// The test vectors of BIP-39 for 128 bits: their first eight words are the first 88 bits.
    #[test]
    fn the_words_are_those_of_the_published_vectors() {
        let words = |first: [u8; 16]| {
            let mut octets = [0xa5; 32];
            octets[..16].copy_from_slice(&first);
            DigestWords::of(&Digest32::from_bytes(octets)).to_string()
        };
        assert_eq!(words([0; 16]), ["abandon"; 8].join(" "));
        assert_eq!(words([0xff; 16]), ["zoo"; 8].join(" "));
        assert_eq!(
            words([0x7f; 16]),
            "legal winner thank year wave sausage worth useful"
        );
        assert_eq!(
            words([0x80; 16]),
            "letter advice cage absurd amount doctor acoustic avoid"
        );
        let octets = 0x9e88_5d95_2ad3_62ca_eb4e_fe34_a8e9_1bd2_u128.to_be_bytes();
        assert_eq!(
            words(octets),
            "ozone drill grab fiber curtain grace pudding thank"
        );
    }

    #[test]
    fn words_are_read_as_people_write_them() {
        let digest = sha256(&[b"statement"]);
        let words = DigestWords::of(&digest);
        let text = words.to_string();
        for written in [
            text.clone(),
            text.to_uppercase(),
            text.replace(' ', "-"),
            text.replace(' ', " - \n"),
            format!("  {text} "),
        ] {
            assert_eq!(written.parse(), Ok(words), "{written}");
        }
        let seven = text.rsplit_once(' ').unwrap().0;
        for refused in [
            "",
            seven,
            &format!("{text} zoo"),
            &format!("{seven} zo"),
            &text.replace(' ', "_"),
            &text.replace(' ', ""),
        ] {
            assert_eq!(refused.parse::<DigestWords>(), Err(NotDigestWords));
        }
    }

    #[test]
    fn a_digest_that_differs_in_the_first_88_bits_has_other_words() {
        let digest = sha256(&[b"statement"]);
        let words = DigestWords::of(&digest);
        assert!(words.matches(&digest));
        for bit in 0..256 {
            let mut octets = *digest.as_bytes();
            octets[bit / 8] ^= 0x80 >> (bit % 8);
            assert_eq!(words.matches(&Digest32::from_bytes(octets)), bit >= 88);
        }
    }
}
