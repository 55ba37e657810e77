//! What a planned change would take away: which types of resources hold data or restore points, what keeps a copy of it,
//! and which attributes guard it.

mod gone;
mod kept;
mod loss;
mod setting;
mod store;
mod table;

pub use gone::{Gone, gone};
pub use kept::kept;
pub use loss::{Loss, lost_guards};
pub use store::{Attribute, DataStore, Guard, Holds, attributes};
pub use table::data_store;
