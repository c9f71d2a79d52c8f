//! configfs-tsm: reports from `/sys/kernel/config/tsm/report` (Linux, `Documentation/ABI/testing/configfs-tsm-report`).
