//! The kernel files of a confidential guest (configfs-tsm, TDX registers), served by the emulator.
