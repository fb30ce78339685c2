//! The macros that make tests of the cases.

/// Makes one test of each case for a store that this expression opens: an async function that returns
/// a [`Fixture`](crate::Fixture), or an option of one: `None` skips the case.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ($open:path; $($module:ident: $($case:ident),+;)+) => {$(
        mod $module {
            use super::*;

            $(
                #[tokio::test]
                async fn $case() {
                    let fixture: Option<$crate::Fixture> = $open().await.into();
                    let Some(fixture) = fixture else { return };
                    $crate::$module::$case(fixture.store.as_ref()).await;
                    fixture.store.close().await.unwrap();
                }
            )+
        }
    )+};
}

/// Runs the whole suite in a module of this name, for a store that this function opens.
#[macro_export]
macro_rules! conformance_suite {
    ($name:ident, $open:path) => {
        mod $name {
            use $open as open;

            $crate::conformance_tests! { open;
                queues: is_found_by_each_of_its_ids, ids_must_be_new, is_secured_once, takes_new_recipient_keys,
                    changes_status, notes_the_day_of_use, is_deleted, malformed_queues_are_refused,
                    pages_hold_every_queue_once;
                links: are_set_with_the_queue, can_be_set_later_and_updated, keep_id_and_fixed_data, are_removed;
                messages: come_out_in_order, first_is_delivered_again_until_acknowledged,
                    are_acknowledged_by_the_id_of_the_first, fill_a_queue_until_it_is_drained,
                    expire_before_the_next_is_added, are_refused_by_inactive_queues, are_counted_and_shown,
                    need_a_queue, can_be_restored, waiting_for_the_disk_outlive_their_queue, of_full_size_are_kept;
                services: are_known_by_their_certificate, are_listed, count_their_queues, count_their_notifiers,
                    list_their_queues;
                sweeps: remove_old_messages_everywhere, work_in_steps, leave_quota_markers, delete_idle_queues;
            }

            #[tokio::test]
            async fn everything_is_there_after_a_restart() {
                let fixture: Option<$crate::Fixture> = open().await.into();
                let Some(fixture) = fixture else { return };
                $crate::restarts::everything_is_there(fixture).await;
            }

            #[test]
            fn agrees_with_a_simple_model() {
                $crate::model::agrees(open, 64);
            }
        }
    };
}
