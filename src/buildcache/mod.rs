//! What earlier builds left behind so that this one has less to do. A memory that is lost or damaged costs time, never an image.

pub(crate) mod memo;
