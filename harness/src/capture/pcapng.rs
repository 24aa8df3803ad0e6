//! A link's capture as a file: pcapng, which tcpdump, tshark and Wireshark read.
//!
//! Times have nanoseconds; each packet says its direction, seen from the end that was listened at.

use std::borrow::Cow;
use std::io::Write;

use pcap_file::DataLink;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::interface_statistics::{InterfaceStatisticsBlock, InterfaceStatisticsOption};
use pcap_file::pcapng::{PcapNgBlock, PcapNgWriter};

use super::captures::LinkCapture;

/// `if_tsresol`: 10 to the power of -9 seconds.
const NANOSECONDS: u8 = 9;
/// `epb_flags`: to the interface, from the interface.
const DIRECTIONS: [u32; 2] = [1, 2];

/// The file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the capture of {link} could not be written as pcapng: {source}")]
pub struct WriteError {
    link: String,
    source: pcap_file::PcapError,
}

/// Writes what was captured of a link.
///
/// # Errors
/// When the writer fails.
pub fn write(capture: &LinkCapture, to: impl Write) -> Result<(), WriteError> {
    let link = capture.point.ends.join(" - ");
    let result = blocks(capture, &link, to);
    result.map_err(|source| WriteError { link, source })
}

fn blocks(capture: &LinkCapture, link: &str, to: impl Write) -> Result<(), pcap_file::PcapError> {
    use InterfaceDescriptionOption::{IfDescription, IfName, IfTsResol};
    let name =
        capture.point.at.as_ref().map_or(String::new(), |(node, interface)| format!("{node}:{interface}"));
    let mut writer = PcapNgWriter::new(to)?;
    let interface = InterfaceDescriptionBlock {
        linktype: DataLink::ETHERNET,
        snaplen: 0,
        options: vec![IfName(Cow::from(name)), IfDescription(Cow::from(link)), IfTsResol(NANOSECONDS)],
    };
    writer.write_block(&interface.into_block())?;
    for packet in &capture.packets {
        let direction = DIRECTIONS[usize::from(packet.outgoing)];
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: packet.at,
            original_len: packet.length,
            data: Cow::Borrowed(&packet.bytes),
            options: vec![EnhancedPacketOption::Flags(direction)],
        };
        writer.write_block(&block.into_block())?;
    }
    let last =
        capture.packets.last().map_or(0, |packet| u64::try_from(packet.at.as_nanos()).unwrap_or_default());
    let statistics = InterfaceStatisticsBlock {
        interface_id: 0,
        timestamp: last,
        options: vec![
            InterfaceStatisticsOption::IsbFilterAccept(capture.seen),
            InterfaceStatisticsOption::IsbOsDrop(capture.lost),
        ],
    };
    writer.write_block(&statistics.into_block())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pcap_file::pcapng::{Block, PcapNgReader};

    use super::*;
    use crate::capture::LinkPoint;
    use crate::capture::ring::Packet;

    #[test]
    fn what_is_written_reads_back() {
        let packets: Vec<Packet> = (0..3u8)
            .map(|number| Packet {
                at: Duration::new(1_800_000_000, 123_456_789 + u32::from(number)),
                outgoing: number % 2 == 0,
                length: 60 + u32::from(number),
                bytes: vec![number; 60 + usize::from(number)].into(),
            })
            .collect();
        let point = LinkPoint {
            ends: ["r0:net0".into(), "r1:net0".into()],
            at: Some(("r0".into(), "net0".into())),
            first: true,
        };
        let capture =
            LinkCapture { point, packets: packets.clone(), seen: 9, dropped: 6, lost: 0, silent: None };
        let mut file = Vec::new();
        write(&capture, &mut file).unwrap();
        let mut reader = PcapNgReader::new(file.as_slice()).unwrap();
        let mut read = Vec::new();
        while let Some(block) = reader.next_block() {
            if let Block::EnhancedPacket(packet) = block.unwrap().into_owned() {
                read.push(packet);
            }
        }
        assert_eq!(reader.interfaces()[0].linktype, DataLink::ETHERNET);
        let bytes: Vec<&[u8]> = read.iter().map(|packet| packet.data.as_ref()).collect();
        assert_eq!(bytes, packets.iter().map(|packet| packet.bytes.as_ref()).collect::<Vec<_>>());
        assert_eq!(read[2].timestamp, packets[2].at);
        assert_eq!(read[1].options, [EnhancedPacketOption::Flags(1)]);
    }
}
