-- What a slice of pay-as-you-go cost: in a window of that name, or ('') outside of all, where it is
-- what the windows (charges[1] has their sum) leave of the whole (Q3). A function, as the meter's
-- statement would set up a sub-select at every call.
CREATE FUNCTION window_micros_v1(p_charges window_charge[], p_micros bigint, p_window text)
RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF p_window = '' THEN
        RETURN p_micros - p_charges[1].micros;
    END IF;
    RETURN (SELECT c.micros FROM unnest(p_charges) c WHERE c.tariff_window = p_window);
END $$;
